"""The dvc.yaml files against the code: every module that can change an output is in its stage's deps."""

from __future__ import annotations

import shlex
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dlcv.adaptation.config import METHODS, Methods
from dlcv.runtime.provenance import NEUTRAL, closure, is_neutral

REPOSITORY = Path(__file__).parent.parent

# By area and stage: the module whose function its command calls, and what that imports by name at run time.
ENTRIES: dict[str, list[str]] = {
    "data/digits": ["dlcv.sources.prepare_digits"],
    "data/faces": ["dlcv.sources.prepare_faces"],
    "evaluation/reference": ["dlcv.evaluation.bounds"],
    "evaluation/judge": ["dlcv.evaluation.judge.train"],
    "gan/train": ["dlcv.gan.train"],
    "gan/sample": ["dlcv.gan.sample"],
    "gan/evaluate": ["dlcv.gan.evaluate"],
    "gan/compare": ["dlcv.gan.compare"],
    "vae/train": ["dlcv.vae.train"],
    "vae/evaluate": ["dlcv.vae.evaluate"],
    "ddim/train": ["dlcv.ddim.train"],
    "ddim/sample": ["dlcv.ddim.sample"],
    "ddim/evaluate": ["dlcv.ddim.evaluate"],
    "diffusion/train": ["dlcv.diffusion.train"],
    "diffusion/sample": ["dlcv.diffusion.sample"],
    "diffusion/evaluate": ["dlcv.diffusion.evaluate"],
    **{f"adaptation/{method}": ["dlcv.adaptation.train", f"dlcv.adaptation.{method}"] for method in METHODS},
    "adaptation/evaluate": ["dlcv.adaptation.evaluate"],
    "adaptation/variant": [
        "dlcv.adaptation.variant",
        "dlcv.adaptation.methods.supervised",
        "dlcv.adaptation.methods.dann",
    ],
    "adaptation/compare": ["dlcv.adaptation.compare"],
    "report": ["dlcv.report.report"],
}
DIFFUSION = ["ddim/train", "diffusion/train"]
TRAININGS = [
    "gan/train",
    "vae/train",
    *DIFFUSION,
    "evaluation/judge",
    *(f"adaptation/{method}" for method in METHODS),
]
# What the root dvc.yaml offers as artifacts.
ADAPTED = [f"adaptation/{method}" for method in Methods.model_fields]
MODELS = ["gan/train", "vae/train", *DIFFUSION, "evaluation/judge", *ADAPTED]


@cache
def stages() -> dict[str, dict[str, Any]]:
    """Every stage instance as DVC resolves it: name, cmd, deps, outs and params."""
    from dvc.repo import Repo

    found = {}
    with Repo(str(REPOSITORY)) as repo:
        for stage in repo.index.stages:
            # "stages/gan/dvc.yaml:train@sngan" is "gan/train@sngan"; the root's own stages have no area.
            name = stage.addressing.removeprefix("stages/").replace("/dvc.yaml:", "/")
            found[name] = {
                "cmd": stage.cmd,
                "address": stage.addressing,
                "deps": {path(item, repo) for item in stage.deps if item.def_path} - {"params.yaml"},
                "outs": {path(item, repo) for item in stage.outs},
                "params": {key for item in stage.deps for key in getattr(item, "params", None) or []},
            }
    return found


def path(item: Any, repo: Any) -> str:
    return Path(item.fs_path).relative_to(repo.root_dir).as_posix()


def base(name: str) -> str:
    return name.split("@")[0]


def test_every_stage_has_an_entry_here() -> None:
    assert {base(name) for name in stages()} == set(ENTRIES)


@pytest.mark.parametrize("stage", ENTRIES)
def test_deps_are_the_import_closure(stage: str) -> None:
    """Too few would leave stale results, too many would train again for nothing."""
    expected = {module for module in closure(ENTRIES[stage]) if not is_neutral(module)}
    for name, facts in stages().items():
        if base(name) == stage:
            deps = {dep for dep in facts["deps"] if dep.startswith("dlcv/")}
            if "dlcv/report" in deps:  # the report's templates are no modules: it depends on the folder
                deps = deps - {"dlcv/report"} | {m for m in expected if m.startswith("dlcv/report/")}
            assert deps == expected, name


def test_the_report_reaches_every_stage() -> None:
    """A plain `dvc repro` runs what the root dvc.yaml needs; a stage that the report does not reach is left out."""
    everything = stages()
    reached, queue = set(), ["report"]
    while queue:
        name = queue.pop()
        if name in reached:
            continue
        reached.add(name)
        for other, facts in everything.items():
            if any(overlap(dep, out) for dep in everything[name]["deps"] for out in facts["outs"]):
                queue.append(other)
    assert reached == set(everything)


def overlap(dep: str, out: str) -> bool:
    return dep == out or dep.startswith(f"{out}/") or out.startswith(f"{dep}/")


def test_data_deps_are_made_by_stages_or_tracked() -> None:
    outs = {out for facts in stages().values() for out in facts["outs"]}
    for name, facts in stages().items():
        for dep in facts["deps"]:
            assert any(overlap(dep, out) for out in outs) or tracked(dep), f"{name}: {dep}"


def tracked(dep: str) -> bool:
    """Whether git knows it: what an earlier run left in the folder does not count."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", dep]
    return bool(subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout)


def test_params_exist() -> None:
    params = YAML(typ="safe").load((REPOSITORY / "params.yaml").read_text())
    for name, facts in stages().items():
        for key in facts["params"]:
            node = params
            for part in key.split("."):
                assert part in node, f"{name}: {key}"
                node = node[part]


def test_commands_exist() -> None:
    import typer

    from dlcv.cli import mount

    for name, facts in stages().items():
        python, flag, package, *words = shlex.split(facts["cmd"])
        # The console script of an editable install would run the workspace's code in a queued experiment.
        assert (python, flag, package) == ("python", "-m", "dlcv"), name
        command: Any = typer.main.get_command(mount(words))
        for word in words:
            command = getattr(command, "commands", {}).get(word, command)
        # The name that is reached is the last word before the arguments, and no group.
        assert not hasattr(command, "commands") or command.invoke_without_command, name


def test_there_are_at_most_65_stage_instances() -> None:
    """Each costs seconds of imports when it runs, and time in a `dvc repro` that has nothing to do."""
    assert len(stages()) <= 65


def test_neutral_patterns_name_something() -> None:
    for pattern in NEUTRAL:
        assert list(REPOSITORY.glob(pattern)), pattern


def test_plots_and_artifacts_show_every_training() -> None:
    """The root dvc.yaml spells them out: DVC has no loop there."""
    root = YAML(typ="safe").load((REPOSITORY / "dvc.yaml").read_text())
    trained = {out for out in outs_of(TRAININGS) if out.startswith("out/")}
    curves = {Path(file) for plot in root["plots"] for entry in plot.values() for file in entry["y"]}
    variants = outs_of(["adaptation/variant"])
    trained |= {f"{out}/{method}" for out in variants for method in ("supervised", "dann")}
    assert {str(file.parent) for file in curves if file.name == "curve.csv"} == trained
    assert {f"{file.parent}" for file in curves if file.name == "frechet.csv"} == {
        out for out in outs_of(["gan/evaluate"]) if out.startswith("out/")
    }
    assert {f"{file.parent}" for file in curves if file.name == "losses.csv"} == {
        out for out in outs_of(["vae/evaluate"]) if out.startswith("out/")
    }
    evaluations = {"guidance.csv": "diffusion/evaluate", "snapshots.csv": "diffusion/evaluate"}
    for name, stage in {**evaluations, "accuracy.csv": "adaptation/evaluate"}.items():
        assert {f"{file.parent}" for file in curves if file.name == name} == {
            out for out in outs_of([stage]) if out.startswith("out/")
        }
    assert {artifact["path"] for artifact in root["artifacts"].values()} == {
        out for out in outs_of(MODELS) if out.startswith("out/")
    }


def outs_of(bases: list[str]) -> set[str]:
    return {out for name, facts in stages().items() if base(name) in bases for out in facts["outs"]}


def test_a_method_is_not_in_another_methods_deps() -> None:
    for method in METHODS:
        own = (method, f"{method}_source")  # what a method has of the source alone is the method's too
        others = {f"dlcv/adaptation/{other}.py" for other in METHODS if other not in own}
        assert not others & set(closure(ENTRIES[f"adaptation/{method}"]))
