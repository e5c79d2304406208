"""A version of the study: the working directory, or a revision of git with outputs from DVC's cache or remote."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dlcv.runtime.errors import UserError
from dlcv.runtime.git import git
from dlcv.runtime.nested import flatten
from dlcv.runtime.summaries import HEADLINE, METRICS, OUT


class Version:
    """Reads files of one version.

    Args:
        revision: of git; None for the working directory.

    Raises:
        UserError: no such revision.
    """

    def __init__(self, revision: str | None):
        self.revision = revision
        self.commit = git("rev-parse", "--verify", "--short", f"{revision or 'HEAD'}^{{commit}}").strip()
        self.missing = False  # whether an output was neither in the cache nor in a remote

    @cached_property
    def _files(self) -> Any:
        from dvc.api import DVCFileSystem

        return DVCFileSystem(rev=self.revision)

    def read(self, path: Path) -> bytes | None:
        """A file of git or an output of DVC; None if this version does not have it or it cannot be had."""
        if self.revision is None:
            return path.read_bytes() if path.is_file() else None
        if not path.is_relative_to(OUT):
            return self._of_git(path)
        from dvc_data.index import DataIndexDirError

        try:
            content: bytes = self._files.read_bytes(path.as_posix())
        except FileNotFoundError:
            return None
        except DataIndexDirError:
            self.missing = True
            return None
        return content

    def _of_git(self, path: Path) -> bytes | None:
        try:
            return git("show", f"{self.revision}:./{path.as_posix()}").encode()
        except UserError:
            return None

    @cached_property
    def params(self) -> dict[str, Any]:
        """The values of params.yaml by dotted key."""
        values = _yaml(self.read(Path("params.yaml")))
        return flatten(values)

    @cached_property
    def stages(self) -> dict[str, Any]:
        """By address, what the lock files say of each stage that has run."""
        found: dict[str, Any] = {}
        for path in self._listed("dvc.lock"):
            locked = _yaml(self.read(path)).get("stages", {})
            prefix = "" if path.parent == Path() else f"{path.parent.as_posix()}/dvc.yaml:"
            found |= {f"{prefix}{name}": stage for name, stage in locked.items()}
        return found

    def scores(self, outputs: list[Path]) -> dict[str, dict[str, dict[str, Any]]]:
        """The headline scores by row and key.

        Args:
            outputs: the headline.json files to read, where this version has them.

        Returns:
            For each score `rounded`, as in metrics/, and what headline.json says of it, or only `value`.
        """
        rows: dict[str, dict[str, dict[str, Any]]] = {}
        for path in self._listed("*.json"):
            values = json.loads(self.read(path) or b"{}")
            row = path.relative_to(METRICS).with_suffix("").as_posix()
            rows[row] = {key: {"rounded": value, "value": value} for key, value in values.items()}
        for path in outputs:
            details = json.loads(self.read(path) or b"{}")
            for row, scores in details.items():
                for key, score in scores.items():
                    if key in rows.get(row, {}):
                        rows[row][key] |= score
        return rows

    def _listed(self, pattern: str) -> list[Path]:
        """The lock files and headline scores whose names match `pattern`."""
        places = ["dvc.lock", "stages", METRICS.as_posix()]
        if self.revision is None:
            paths = [path for place in places for path in (Path(place), *Path(place).rglob("*")) if path.is_file()]
        else:
            listed = git("ls-tree", "-r", "--name-only", self.revision, "--", *places)
            paths = [Path(line) for line in listed.splitlines()]
        return sorted(path for path in paths if path.match(pattern))


def headlines() -> list[Path]:
    """The headline.json files of the working directory."""
    return sorted(OUT.rglob(HEADLINE))


def _yaml(content: bytes | None) -> dict[str, Any]:
    try:
        values: dict[str, Any] = YAML(typ="safe").load((content or b"").decode()) or {}
    except YAMLError as error:
        raise UserError(f"a file is not YAML: {' '.join(str(error).split())}") from None
    return values
