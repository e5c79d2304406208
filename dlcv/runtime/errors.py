"""The one exception for errors that the user can fix, the hints in its messages, and the errors of a full disk."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)  # numbers of an OSError: no space, or no more than the user may have


class UserError(Exception):
    """Invalid input. The message is one line: what is wrong, where, and what to do.

    The `dlcv` command prints the message without a traceback and exits with 1. Any other exception is a bug of this
    package, and keeps its traceback.
    """


def nearest(name: str, valid: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar valid name, or all valid names."""
    valid = list(valid)
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(valid)}"


def expect(kind: str, name: str, valid: Iterable[str]) -> None:
    """Check that `name` is one of `valid`.

    Raises:
        UserError: "no domain mnistn; did you mean mnistm?"
    """
    valid = list(valid)
    if name not in valid:
        raise UserError(f"no {kind} {name}{nearest(name, valid)}")


def expect_empty(folder: Path) -> None:
    """Check that `folder` does not exist or is empty, so that writing images into it overwrites nothing.

    Raises:
        UserError: the folder is not empty, or is a file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty; name a new folder for the images")
