"""What the report reads, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json


def read(path: Path) -> Any:
    """A JSON file that params.yaml implies.

    Raises:
        UserError: it is missing or is not JSON.
    """
    try:
        return read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `dvc repro` makes it, `dvc pull` fetches it") from None
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}); `dvc repro -f` makes it anew") from None


def refuse_unclaimed(folder: Path, claimed: set[str]) -> None:
    """Refuse JSON files that are left over from something which params.yaml no longer has.

    Raises:
        UserError: names the file.
    """
    for path in sorted(folder.glob("*.json")):
        if path.name not in claimed:
            raise UserError(f"{path} belongs to nothing in params.yaml; remove it, or bring back what made it")


def link(path: Path) -> str:
    """A link from the report's folder to `path`."""
    return f"../{path.as_posix()}"
