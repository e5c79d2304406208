"""Record where data outside the repository is, and its SHA-256, in params.yaml."""

from __future__ import annotations

from pathlib import Path

from dlcv.data.images import is_image
from dlcv.runtime import config as params
from dlcv.runtime import files
from dlcv.runtime.errors import UserError
from dlcv.sources.tree import fingerprint, open_tree


def register(path: Path, name: str | None) -> dict[str, str]:
    """Write path and SHA-256 of a folder or archive into params.yaml and return what was written.

    Args:
        path: absolute, or relative to the working directory.
        name: mnistm, svhn, usps or faces for the `folder` source; None for the course's data.

    Raises:
        UserError: there is nothing at `path`, or nothing that could be data.
    """
    path = Path(path).expanduser().resolve()
    tree = open_tree(path)
    if not any(is_image(entry) for entry in tree.names):
        raise UserError(f"{path} holds no images; register a folder or zip archive with PNG or JPEG files")
    key = "data.course" if name is None else f"data.folder.{name}"
    values = {f"{key}.path": _portable(path), f"{key}.sha256": fingerprint(path)}
    params.set_values(dict(values))
    return values


def _portable(path: Path) -> str:
    """Relative to the repository's root where it lies inside: a copy of the repository finds it too."""
    root = files.root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
