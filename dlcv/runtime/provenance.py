"""What a result depends on: parameters, data and code, and one fingerprint over the three.

DVC holds the same facts in dvc.lock, but writes them only after a stage has ended. A running stage
needs them at its start, to know whether a checkpoint it finds is its own.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcv.runtime.files import sha256

PACKAGE = Path(__file__).parent.parent

# Modules that cannot change what a stage makes. They are left out of the stages' `deps` and of fingerprints; a test
# holds everything else against `deps`, and this list against .dvcignore.
NEUTRAL = {
    "dlcv/*.py": "the command: parses arguments, turns exceptions into exit codes, writes plots and artifacts",
    "dlcv/runtime/*.py": "ends, locates, resumes, reports or reads back; each module says why it changes no result",
    "dlcv/*/__init__.py": "docstrings",
    "dlcv/*/*/__init__.py": "docstrings",
    "dlcv/*/cli.py": "parses arguments that the stage's cmd spells out",
}
# Neutral for a training or a sampling, whose values are the stage's params; not for an evaluation, which writes the
# labels and captions that are declared there.
DECLARATIONS = "dlcv/*/config.py"


@dataclass(frozen=True)
class Provenance:
    """The inputs of one stage instance."""

    params: Mapping[str, Any]  # the values of the sections that it reads
    data: Mapping[str, str]  # name of each data set: SHA-256 of its arrays
    code: Mapping[str, str]  # path of each module: SHA-256 of its text

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 over parameters, data and code; 64 characters."""
        facts = {"params": self.params, "data": self.data, "code": self.code}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """For the JSON beside what the stage makes."""
        return {"fingerprint": self.fingerprint, "params": dict(self.params), "data": dict(self.data)}


def code_hashes(modules: Iterable[str]) -> dict[str, str]:
    """SHA-256 of every module of this package that can change what `modules` compute."""
    return {path: sha256(PACKAGE.parent / path) for path in closure(modules) if not is_neutral(path)}


def is_neutral(path: str) -> bool:
    """Whether the module at `path` ("dlcv/runtime/config.py") is in the list of neutral ones."""
    return any(Path(path).match(pattern) for pattern in (*NEUTRAL, DECLARATIONS))


def closure(modules: Iterable[str]) -> list[str]:
    """Paths ("dlcv/engine/loop.py") of `modules` ("dlcv.engine.loop") and of all they import from here.

    Imports are read from the syntax tree, those inside functions too. What stands behind a neutral
    module is not followed: it reaches the stage only through modules that are followed anyway.
    """
    found: set[str] = set()
    queue = list(modules)
    while queue:
        path = _path(queue.pop())
        if path is None or path in found:
            continue
        found.add(path)
        if not is_neutral(path):
            queue += _imports(PACKAGE.parent / path)
    return sorted(found)


def _path(module: str) -> str | None:
    """The file of a module of this package, relative to the repository; None for a plain name."""
    base = PACKAGE.parent / Path(*module.split("."))
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.is_file():
            return file.relative_to(PACKAGE.parent).as_posix()
    return None


def _imports(file: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from dlcv import nn` names a module, `from dlcv.engine.averaging import EMA` something inside one;
            # _path drops whatever is not a module.
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == PACKAGE.name]
