"""Edits of params.yaml or of the code while a stage runs.

DVC records what a stage depends on after its command has ended. An edit while it ran would be recorded as the input of
outputs that were made without it, and the stage would then count as up to date. So the command fails instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlcv.runtime.errors import UserError

PATH = Path("params.yaml")
EDITED = "edited while this stage ran"  # `dlcv repro` runs the stage again when it reads this

Texts = dict[str, bytes]


def watch() -> Callable[[], None]:
    """Remember params.yaml and the code as they are now, if this process is a stage that DVC runs.

    Returns:
        A function to call at the end. It raises a UserError if something that the stage depends on was edited.
    """
    stage = os.environ.get("DVC_STAGE")
    if not stage:
        return lambda: None
    before = _texts()

    def check() -> None:
        after = _texts()
        edited = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        if edited and (inputs := [name for path in edited for name in _inputs(stage, path, before, after)]):
            raise UserError(f"{', '.join(inputs)}: {EDITED}, so its outputs may not belong to them; run it again")

    return check


def _texts() -> Texts:
    """The files that a stage may read besides outputs of other stages, by path."""
    return {path.as_posix(): path.read_bytes() for path in [PATH, *Path("dlcv").rglob("*.py")] if path.is_file()}


def _inputs(stage: str, edited: str, before: Texts, after: Texts) -> list[str]:
    """What the stage depends on in the file `edited`: the file itself, or keys of params.yaml that differ."""
    from dvc.dependency.param import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            dependencies = [dep for one in repo.index.stages if one.addressing == stage for dep in one.deps]
            ignored = repo.dvcignore.is_ignored_file(edited)
    except DvcException:  # the edited params.yaml is no YAML, for example
        return [edited]
    names = []
    for dependency in dependencies:
        if isinstance(dependency, ParamsDependency):
            if edited == PATH.as_posix():
                old, new = _values(before.get(edited)), _values(after.get(edited))
                names += [key for key in dependency.params if _at(old, key) != _at(new, key)]
        elif Path(edited).absolute().is_relative_to(dependency.fs_path) and not ignored:
            names.append(edited)
    return names


def _values(text: bytes | None) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(text or b"")
    except YAMLError:
        return None


def _at(values: Any, key: str) -> Any:
    """The value of a dotted key; None if there is none."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values
