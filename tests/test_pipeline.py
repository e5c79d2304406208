"""The dvc.yaml files against the code: a stage depends on every module that can change its output, and on no other."""

from __future__ import annotations

import ast
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from ruamel.yaml import YAML

from dlcv.adaptation.config import METHODS
from dlcv.pipeline import by_hand
from dlcv.runtime.editing import set_values
from dlcv.runtime.provenance import DECLARATIONS, NEUTRAL, closure

REPOSITORY = Path(__file__).parent.parent


def method(name: str) -> list[str]:
    """The modules of a training of domain adaptation: the method's file is imported by name at run time."""
    return ["dlcv.adaptation.train", f"dlcv.adaptation.methods.{METHODS[name].module}"]


# By area and stage: the module whose function its command calls, and what that imports by name at run time.
ENTRIES: dict[str, list[str]] = {
    "data/digits": ["dlcv.sources.prepare"],
    "data/faces": ["dlcv.sources.prepare"],
    "data/ddim": ["dlcv.sources.prepare"],
    "evaluation/reference": ["dlcv.evaluation.bounds"],
    "evaluation/judge": ["dlcv.evaluation.judge.train"],
    "evaluation/judge-evaluate": ["dlcv.evaluation.judge.evaluate"],
    "gan/train": ["dlcv.gan.train"],
    "gan/sample": ["dlcv.gan.sample"],
    "gan/evaluate": ["dlcv.gan.evaluate"],
    "gan/summary": ["dlcv.gan.summary"],
    "vae/train": ["dlcv.vae.train"],
    "vae/evaluate": ["dlcv.vae.evaluate"],
    "vae/summary": ["dlcv.vae.summary"],
    "ddim/train": ["dlcv.diffusion.train_faces"],
    "ddim/sample": ["dlcv.diffusion.sample_faces"],
    "ddim/evaluate": ["dlcv.diffusion.evaluate_faces"],
    "ddim/task": ["dlcv.diffusion.task"],
    "ddim/summary": ["dlcv.diffusion.summary"],
    "diffusion/train": ["dlcv.diffusion.train_digits"],
    "diffusion/sample": ["dlcv.diffusion.sample_digits"],
    "diffusion/evaluate": ["dlcv.diffusion.evaluate_digits"],
    "diffusion/summary": ["dlcv.diffusion.summary"],
    **{f"adaptation/{name}": method(name) for name in METHODS},
    "adaptation/baseline": method("supervised"),
    "adaptation/network": method("dann"),
    "adaptation/update": method("dann"),
    "adaptation/evaluate": ["dlcv.adaptation.evaluate"],
    "report": ["dlcv.report.report"],
}
SHIPPED = 7  # methods and baselines of the adaptation
TRAININGS = [
    "evaluation/judge",
    *(name for name in ENTRIES if name.endswith("/train")),
    *(f"adaptation/{name}" for name in (*METHODS, "baseline", "network", "update")),
]
DATA = [name for name in ENTRIES if name.startswith("data/")]
SAMPLINGS = [name for name in ENTRIES if name.endswith("/sample")]
# What may change without a training that is out of date.
BEHIND_TRAINING = ("dlcv/evaluation/", "dlcv/figures/", "dlcv/report/", "dlcv/sources/")


@cache
def stages() -> dict[str, dict[str, Any]]:
    """Every stage instance as DVC resolves it: name, cmd, deps, outs and params.

    With the stages of the DDIM task, which are there only where data.ddim names its source.
    """
    from dvc.repo import Repo

    found = {}
    with TemporaryDirectory() as folder:
        copy = Path(folder).resolve()
        for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
            shutil.copy(REPOSITORY / name, copy)
        shutil.copytree(REPOSITORY / "stages", copy / "stages")
        set_values({"data.ddim": ["course"]}, copy / "params.yaml")
        subprocess.run(["git", "init", "--quiet", str(copy)], check=True)
        repo = Repo.init(str(copy))
        for stage in repo.index.stages:
            # "stages/gan/dvc.yaml:train@sngan" is "gan/train@sngan"; the root's own stages have no area.
            address = f"{stage.path_in_repo}:{stage.name}".removeprefix("dvc.yaml:")
            name = address.removeprefix("stages/").replace("/dvc.yaml:", "/")
            found[name] = {
                "cmd": stage.cmd,
                "address": address,
                "deps": {path(item, repo) for item in stage.deps if item.def_path} - {"params.yaml"},
                "outs": {path(item, repo) for item in stage.outs},
                "params": {key for item in stage.deps for key in getattr(item, "params", None) or []},
            }
    return found


def path(item: Any, repo: Any) -> str:
    return Path(item.fs_path).relative_to(repo.root_dir).as_posix()


def base(name: str) -> str:
    return name.split("@")[0]


def overlap(dep: str, out: str) -> bool:
    return dep == out or dep.startswith(f"{out}/") or out.startswith(f"{dep}/")


def can_change(stage: str) -> set[str]:
    """The modules that can change what a stage makes."""
    evaluates = stage not in (*TRAININGS, *SAMPLINGS, *DATA)

    def neutral(module: str) -> bool:
        declared = Path(module).match(DECLARATIONS)
        return any(Path(module).match(pattern) for pattern in NEUTRAL) or (declared and not evaluates)

    return {module for module in closure(ENTRIES[stage], neutral) if not neutral(module)}


@pytest.mark.slow
@pytest.mark.parametrize("stage", ENTRIES)
def test_a_stage_with_torch_has_the_portable_arithmetic(stage: str) -> None:
    """`dlcv.engine.arithmetic` replaces operations of torch when it is imported: a stage without it would not be
    portable. What a stage computes is in its params, whether by torch or not."""
    modules = can_change(stage)
    if any(imports_torch(module) for module in modules):
        assert {"dlcv/engine/arithmetic.py", "dlcv/engine/environment.py"} <= modules
    for name, facts in stages().items():
        if base(name) == stage:
            assert ("compute" in facts["params"]) == (stage not in (*DATA, "report")), name


@cache
def imports_torch(module: str) -> bool:
    for node in ast.walk(ast.parse((REPOSITORY / module).read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if any(name.split(".")[0] == "torch" for name in names):
            return True
    return False


def test_every_stage_has_an_entry_here() -> None:
    assert {base(name) for name in stages()} == set(ENTRIES)


@pytest.mark.parametrize("stage", ENTRIES)
def test_deps_cover_the_import_closure(stage: str) -> None:
    """Too few deps would leave stale results; a dep of nothing that is imported would run the stage for nothing."""
    modules = can_change(stage)
    for name, facts in stages().items():
        if base(name) == stage:
            deps = {dep for dep in facts["deps"] if dep.startswith("dlcv/")}
            assert {module for module in modules if not any(overlap(dep, module) for dep in deps)} == set(), name
            assert {dep for dep in deps if not any(overlap(dep, module) for module in modules)} == set(), name


@pytest.mark.slow
@pytest.mark.parametrize("stage", TRAININGS)
def test_an_edit_of_what_comes_after_a_training_makes_no_training_stale(stage: str) -> None:
    for name, facts in stages().items():
        if base(name) == stage:
            covered = files_of(facts["deps"])
            expected = can_change(stage)
            allowed = {file for file in covered if file.startswith("dlcv/engine/")} | expected
            assert covered <= allowed | files_of({"dlcv/diffusion/networks", "dlcv/adaptation/networks"}), name
            assert not [file for file in covered - expected if file.startswith(BEHIND_TRAINING)], name


def files_of(deps: set[str]) -> set[str]:
    """The Python files of this package that `deps` name or contain, without those that .dvcignore takes out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *(dep for dep in deps if "dlcv/" in dep)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    ignored = (REPOSITORY / ".dvcignore").read_text().splitlines()
    patterns = [line.replace("**/", "") for line in ignored if line.startswith("dlcv/")]
    names = {Path(pattern).name for pattern in patterns}
    return {file for file in listed if file.endswith(".py") and Path(file).name not in names}


def test_no_stage_depends_on_what_cannot_change_its_output() -> None:
    for name, facts in stages().items():
        deps = {dep for dep in facts["deps"] if dep.startswith("dlcv/")}
        if deps:
            neutral = {file for file in files_of(deps) if any(Path(file).match(pattern) for pattern in NEUTRAL)}
            assert not neutral, name


def test_deps_are_short() -> None:
    """A person reads them: rooms and a few files."""
    for name, facts in stages().items():
        assert len(facts["deps"]) <= 12, name
    lines = sum(
        len(by_hand(file.read_text()).splitlines()) for file in (REPOSITORY / "stages").glob("*/dvc.yaml")
    ) + len((REPOSITORY / "dvc.yaml").read_text().splitlines())
    assert lines <= 450 + 16 * (len(METHODS) - SHIPPED)  # a method more has a stage of its own


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


@pytest.mark.slow
def test_commands_exist() -> None:
    import typer

    from dlcv.cli import mount

    areas: dict[str, Any] = {}
    for name, facts in stages().items():
        python, flag, package, *words = shlex.split(facts["cmd"])
        # The console script of an editable install would run the workspace's code in a queued experiment.
        assert (python, flag, package) == ("python", "-m", "dlcv"), name
        if words[0] not in areas:
            areas[words[0]] = typer.main.get_command(mount(words[0]))
        command = areas[words[0]]
        for word in words:
            command = getattr(command, "commands", {}).get(word, command)
        # The name that is reached is the last word before the arguments, and no group.
        assert not hasattr(command, "commands") or command.invoke_without_command, name


def test_lambda_reaches_only_the_trainings_that_read_it() -> None:
    """`dvc exp run -S dann.lambda=0.3` trains what depends on it and nothing else."""
    read = {
        base(name)
        for name, facts in stages().items()
        if base(name) in TRAININGS and any(key.split(".")[0] == "dann" for key in facts["params"])
    }
    assert read == {"adaptation/dann", "adaptation/network"}


def test_a_new_seed_is_trained_alone() -> None:
    """No training, sampling or evaluation of a model reads a list of seeds: those that are there stay as they are."""
    readers = {base(name) for name, facts in stages().items() if any(key.endswith("seeds") for key in facts["params"])}
    summaries = {name for name in ENTRIES if name.endswith("/summary")}
    assert readers == {*summaries, "evaluation/judge-evaluate"}


def test_plots_and_artifacts_show_every_training() -> None:
    """What `dlcv pipeline` writes, against the outputs of the stages."""
    plotted: set[str] = set()
    offered: set[str] = set()
    shown: set[str] = set()
    for file in (REPOSITORY / "stages").glob("*/dvc.yaml"):
        written = YAML(typ="safe").load(file.read_text())
        up = "../../"
        for plot in written.get("plots", []):
            if isinstance(plot, str):
                shown.add(plot.removeprefix(up))
                continue
            for entry in plot.values():
                plotted |= {name.removeprefix(up) for name in entry["y"]}
        offered |= {artifact["path"].removeprefix(up) for artifact in written.get("artifacts", {}).values()}
    assert {name.removesuffix("/curve.csv") for name in plotted if name.endswith("/curve.csv")} == outs_of(TRAININGS)
    evaluations = {
        "frechet.csv": "gan/evaluate",
        "losses.csv": "vae/evaluate",
        "table.csv": "ddim/evaluate",
        "guidance.csv": "diffusion/evaluate",
        "snapshots.csv": "diffusion/evaluate",
        "accuracy.csv": "adaptation/evaluate",
    }
    for table, stage in evaluations.items():
        assert {str(Path(name).parent) for name in plotted if Path(name).name == table} == outs_of([stage])
    grids = {str(Path(name).parent) for name in shown if Path(name).name == "grid.png"}
    assert grids == outs_of(["gan/sample", "ddim/sample", "diffusion/sample"])
    confusions = {str(Path(name).parent) for name in shown if Path(name).name == "confusion.png"}
    assert confusions == outs_of(["diffusion/evaluate", "adaptation/evaluate"])
    adapted = [f"adaptation/{name}" for name, method in METHODS.items() if method.adapts]
    models = [name for name in TRAININGS if not name.startswith("adaptation/")]
    assert offered == outs_of([*models, *adapted])


def outs_of(names: list[str]) -> set[str]:
    outs = {out for name, facts in stages().items() if base(name) in names for out in facts["outs"]}
    return {out for out in outs if out.startswith("out/")}


def test_a_method_is_not_in_another_methods_closure() -> None:
    for name, own in METHODS.items():
        others = {
            f"dlcv/adaptation/methods/{other.module}.py" for other in METHODS.values() if other.module != own.module
        }
        assert not others & set(closure(ENTRIES[f"adaptation/{name}"]))
