"""What a result depends on: parameters, data, code and arithmetic, with one fingerprint of all.

DVC writes the same facts to dvc.lock, but only after a stage has ended. A stage needs them at its start, to find out
whether a checkpoint is its own.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcv.runtime import compute
from dlcv.runtime.files import sha256

PACKAGE = Path(__file__).parent.parent

# Modules that cannot change the outputs of a stage, with the reason. They are not in the `deps` of stages and not in
# fingerprints. Tests compare `deps` with all other modules, and this list with .dvcignore.
NEUTRAL = {
    "dlcv/*.py": "the command: arguments, exit codes, plots and artifacts of dvc.yaml",
    "dlcv/runtime/*.py": "params are in the stages' `params`; the others stop, resume, track or locate a computation",
    "dlcv/*/__init__.py": "only a docstring",
    "dlcv/*/*/__init__.py": "only a docstring",
    "dlcv/engine/config.py": "its values are in the stages' `params`",
    "dlcv/*/*cli.py": "arguments, which are in the `cmd` of a stage",
}
# Neutral for trainings and samplings, which get its values as `params`. Not neutral for evaluations, which write the
# labels and captions that it declares.
DECLARATIONS = "dlcv/*/config.py"


@dataclass(frozen=True)
class Provenance:
    """The inputs of one stage."""

    params: Mapping[str, Any]  # the values that the stage reads
    data: Mapping[str, str]  # by name of the data set: SHA-256 of its arrays
    code: Mapping[str, str]  # by path of the module: SHA-256 of its text
    compute: Mapping[str, Any] = field(default_factory=compute.settings)  # how this process computes

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of parameters, data, code and arithmetic; 64 characters."""
        facts = {"params": self.params, "data": self.data, "code": self.code, "compute": self.compute}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """The fingerprint and all but the code, for the JSON beside the outputs of the stage."""
        facts = {"params": self.params, "data": self.data, "compute": self.compute}
        return {"fingerprint": self.fingerprint, **{name: dict(values) for name, values in facts.items()}}


def code_hashes(modules: Iterable[str]) -> dict[str, str]:
    """SHA-256 of every module of this package that can change the results of `modules`, by path."""
    return {path: sha256(PACKAGE.parent / path) for path in closure(modules) if not is_neutral(path)}


def is_neutral(path: str) -> bool:
    """Whether the module at `path` ("dlcv/runtime/config.py") is neutral for a training."""
    return any(Path(path).match(pattern) for pattern in (*NEUTRAL, DECLARATIONS))


def closure(modules: Iterable[str], neutral: Callable[[str], bool] = is_neutral) -> list[str]:
    """Paths ("dlcv/engine/loop.py") of `modules` ("dlcv.engine.loop") and of all modules of this package they import.

    Imports are read from the syntax tree, also those inside functions. Imports of neutral modules are not followed:
    a neutral module cannot pass the effect of another module on.
    """
    found: set[str] = set()
    queue = list(modules)
    while queue:
        path = _path(queue.pop())
        if path is None or path in found:
            continue
        found.add(path)
        if not neutral(path):
            queue += imports_of(PACKAGE.parent / path)
    return sorted(found)


def _path(module: str) -> str | None:
    """The file of a module of this package, relative to the repository; None if `module` is not a module."""
    base = PACKAGE.parent / Path(*module.split("."))
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        if file.is_file():
            return file.relative_to(PACKAGE.parent).as_posix()
    return None


def imports_of(file: Path) -> list[str]:
    """The names of this package that a file imports, also inside functions: modules, and names in modules."""
    names = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from dlcv import engine` imports a module, `from dlcv.engine.averaging import EMA` a name in a module.
            # `_path` drops what is not a module.
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == PACKAGE.name]
