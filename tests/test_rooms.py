"""The rooms of the package: imports go one way, and one module declares what a method is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dlcv.adaptation.config import METHODS
from dlcv.runtime.config import load
from dlcv.runtime.provenance import PACKAGE, imports_of

REPOSITORY = Path(__file__).parent.parent
AREAS = ("gan", "vae", "diffusion", "adaptation")
# The rooms that each room may import, beside itself.
FLOOR = {"runtime": (), "engine": ("runtime",), "figures": ("runtime",)}
ARROWS: dict[str, tuple[str, ...]] = {
    **FLOOR,
    "data": ("engine", "figures", "runtime"),
    "sources": ("data", "engine", "figures", "runtime"),
    "evaluation": ("data", "engine", "figures", "runtime"),
    **dict.fromkeys(AREAS, ("evaluation", "data", "engine", "figures", "runtime")),
    "models": (*AREAS, "evaluation", "data", "engine", "figures", "runtime"),
    "play": ("models", *AREAS, "evaluation", "data", "engine", "figures", "runtime"),
    "doctor": (*AREAS, "evaluation", "data", "engine", "runtime"),
    "report": ("runtime",),
    "review": ("evaluation", "data", "engine", "figures", "runtime"),
}
MODULES = sorted(file.relative_to(REPOSITORY).as_posix() for file in PACKAGE.glob("*/**/*.py"))


def room_of(module: str) -> str:
    """ "gan" of "dlcv/gan/step.py" and of "dlcv.gan.step"."""
    return module.replace("/", ".").split(".")[1]


def test_every_room_has_its_arrows() -> None:
    assert {room_of(module) for module in MODULES} == set(ARROWS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_arrows(module: str) -> None:
    own = room_of(module)
    for name in imports_of(REPOSITORY / module):
        if name.count("."):
            assert room_of(name) in (own, *ARROWS[own]), f"{module} imports {name}"


def test_the_metrics_are_pure() -> None:
    """Functions of arrays: no files, no params, no other room."""
    for file in (PACKAGE / "evaluation/metrics").glob("*.py"):
        for name in imports_of(file):
            assert name == "dlcv" or name.startswith("dlcv.evaluation.metrics"), f"{file.name} imports {name}"


def names() -> set[str]:
    """The names of models and methods, as params.yaml and the declaration have them."""
    raw = load(REPOSITORY / "params.yaml").raw
    return {*METHODS, *raw["gan"]["models"], *raw["diffusion"]["models"]} - {"supervised"}


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_no_module_but_the_declaration_branches_on_a_name(module: str) -> None:
    """A comparison with the name of a model or a method would have to be found again for each new one."""
    if Path(module).name == "config.py":
        return
    compared = set()
    for node in ast.walk(ast.parse((REPOSITORY / module).read_text())):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        for part in parts:
            compared |= {leaf.value for leaf in ast.walk(part) if isinstance(leaf, ast.Constant)}
    assert not compared & names(), f"{module} compares with {compared & names()}"
