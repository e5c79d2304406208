"""The one exception for what the user can mend, and the hint that such a message ends with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class UserError(Exception):
    """Bad input. The message is one line: what is wrong, where, and what to do about it.

    The `dlcv` command prints it without a traceback and exits with 1; any other exception is a
    fault of ours and keeps its traceback.
    """


def nearest(name: str, valid: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest valid one, or all of them."""
    valid = list(valid)
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(valid)}"


def expect(kind: str, name: str, valid: Iterable[str]) -> None:
    """Refuse a `name` that is not one of `valid`.

    Raises:
        UserError: "no domain mnistn; did you mean mnistm?"
    """
    valid = list(valid)
    if name not in valid:
        raise UserError(f"no {kind} {name}{nearest(name, valid)}")


def expect_empty(folder: Path) -> None:
    """Refuse a `folder` that images cannot be written to without losing something.

    Raises:
        UserError: it is not empty, or a file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty; name a new folder for the images")
