"""Import closures, fingerprints, and the list of neutral modules."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pathspec
import pytest
from ruamel.yaml import YAML

from dlcv.runtime import provenance
from dlcv.runtime.provenance import DECLARATIONS, NEUTRAL, Provenance, closure, code_hashes, is_neutral

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the same name with a few modules."""
    folder = tmp_path / "dlcv"
    modules = {
        "gan/train.py": "from dlcv.gan.losses import x\nimport numpy",
        "gan/losses.py": "def f():\n    from dlcv.gan import step\n    import dlcv.data.arrays.d",
        "gan/step.py": "from dlcv.runtime.config import load\nfrom dlcv.gan.config import Gan",
        "gan/config.py": "from dlcv.far.away import y",
        "gan/__init__.py": "from dlcv.far.away import y",
        "gan/alone.py": "",
        "runtime/config.py": "from dlcv.far.away import x",
        "far/away.py": "",
        "data/arrays/__init__.py": "",
        "data/arrays/d.py": "from dlcv.gan.train import y",
    }
    for name, text in modules.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(provenance, "PACKAGE", folder)
    return folder


@pytest.mark.usefixtures("package")
def test_closure_follows_imports_inside_functions_but_not_those_of_neutral_modules() -> None:
    assert closure(["dlcv.gan.train"]) == [
        "dlcv/data/arrays/d.py",
        "dlcv/gan/__init__.py",
        "dlcv/gan/config.py",
        "dlcv/gan/losses.py",
        "dlcv/gan/step.py",
        "dlcv/gan/train.py",
        "dlcv/runtime/config.py",
    ]


@pytest.mark.usefixtures("package")
def test_closure_follows_what_the_caller_does_not_call_neutral() -> None:
    found = closure(["dlcv.gan.step"], lambda path: path.startswith("dlcv/runtime/"))
    assert found == ["dlcv/far/away.py", "dlcv/gan/config.py", "dlcv/gan/step.py", "dlcv/runtime/config.py"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("dlcv/cli.py", True),
        ("dlcv/runtime/config.py", True),
        ("dlcv/gan/cli.py", True),
        ("dlcv/diffusion/ddim_cli.py", True),
        ("dlcv/gan/config.py", True),
        ("dlcv/gan/__init__.py", True),
        ("dlcv/evaluation/metrics/__init__.py", True),
        ("dlcv/gan/step.py", False),
        ("dlcv/engine/loop.py", False),
        ("dlcv/engine/environment.py", False),
        ("dlcv/engine/config.py", True),
        ("dlcv/evaluation/metrics/frechet.py", False),
        ("dlcv/adaptation/methods/config.py", False),
    ],
)
def test_neutral_modules(path: str, expected: bool) -> None:
    assert is_neutral(path) == expected


def test_fingerprint_changes_with_params_data_code_and_arithmetic_and_with_nothing_else(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fingerprint(params: int = 1, data: str = "x") -> str:
        return Provenance({"p": params}, {"d": data}, code_hashes(["dlcv.gan.train"])).fingerprint

    first = fingerprint()
    assert fingerprint() == first
    assert len({first, fingerprint(params=2), fingerprint(data="y")}) == 3
    for name, value in (("OMP_NUM_THREADS", "2"), ("DLCV_PORTABLE", "0")):
        with monkeypatch.context() as other:
            other.setenv(name, value)
            assert fingerprint() != first, name
    for neutral in ("gan/alone.py", "gan/config.py", "gan/__init__.py", "runtime/config.py", "far/away.py"):
        (package / neutral).write_text("x = 1")
        assert fingerprint() == first, neutral
    (package / "data" / "arrays" / "d.py").write_text("x = 1")
    assert fingerprint() != first


@pytest.mark.parametrize("pattern", [*NEUTRAL, DECLARATIONS])
def test_each_pattern_matches_a_module(pattern: str) -> None:
    assert list(REPOSITORY.glob(pattern))


def files() -> list[str]:
    """The files of the package that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "dlcv"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in listed if (REPOSITORY / name).is_file()]


def dependencies() -> set[str]:
    """Everything in the package that a stage names in `deps`."""

    def found(node: Any) -> set[str]:
        if isinstance(node, dict):
            return set().union(*(set(v) if k == "deps" else found(v) for k, v in node.items()))
        return set().union(*map(found, node)) if isinstance(node, list) else set()

    names = set()
    for file in (REPOSITORY / "dvc.yaml", *(REPOSITORY / "stages").glob("*/dvc.yaml")):
        names |= found(YAML(typ="safe").load(file.read_text()))
    return {name for name in names if name.split("/")[0] == "dlcv"}


def test_dvcignore_hides_the_neutral_modules_in_the_dependencies_of_stages_and_no_other() -> None:
    """DVC hashes all files of a folder in `deps`: an edit of a neutral one would make the stage run again."""
    lines = (REPOSITORY / ".dvcignore").read_text().splitlines()
    ignored = set(pathspec.GitIgnoreSpec.from_lines(lines).match_files(files()))
    neutral = {name for name in files() if any(Path(name).match(pattern) for pattern in NEUTRAL)}
    deps = dependencies()
    assert len(deps) > 10
    inside = {name for name in neutral if any(name.startswith(f"{dep}/") or name == dep for dep in deps)}
    assert inside - ignored == set()
    assert ignored - neutral - {"dlcv/py.typed"} == set()  # py.typed is empty
