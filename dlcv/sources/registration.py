"""The path and SHA-256 of data outside the repository: `register` records them in params.yaml, stages check them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dlcv.data.config import Location
from dlcv.data.images import is_image
from dlcv.runtime import files
from dlcv.runtime.editing import set_values
from dlcv.runtime.errors import UserError
from dlcv.sources.file_tree import FileTree, fingerprint, open_tree


def register(path: Path, name: str | None, check: Callable[[FileTree], object] = lambda tree: None) -> dict[str, str]:
    """Write the path and SHA-256 of a folder or archive into params.yaml.

    Args:
        path: absolute, or relative to the working directory.
        name: mnistm, svhn, usps or faces for the `folder` source; None for the course's data.
        check: looks at what is inside before anything is written.

    Returns:
        The written values by their key in params.yaml.

    Raises:
        UserError: `path` does not exist, cannot be opened or has no images.
    """
    path = Path(path).expanduser().resolve()
    tree = open_tree(path)
    if not any(is_image(entry) for entry in tree.names):
        raise UserError(f"{path} has no images; register a folder or zip archive with PNG or JPEG files")
    check(tree)
    key = "data.course" if name is None else f"data.folder.{name}"
    values = {f"{key}.path": _portable(path), f"{key}.sha256": fingerprint(path)}
    set_values(dict(values))
    return values


def open_registered(location: Location, key: str, command: str) -> FileTree:
    """Open registered data after checking that they have not changed.

    Args:
        location: the section of params.yaml.
        key: the key of that section, for messages.
        command: the command that registers the data, for messages.

    Raises:
        UserError: nothing is registered, the path does not exist, or its SHA-256 has changed.
    """
    if location.path is None:
        raise UserError(f"params.yaml: {key}.path is empty; run `{command}` first")
    path = files.root() / location.path
    if not path.exists():
        raise UserError(f"{key}: there is no {path}; put the data there, or run `{command}` with the new path")
    found = fingerprint(path)
    if found != location.sha256:
        recorded = f"{location.sha256[:12]}…" if location.sha256 else "nothing"
        raise UserError(
            f"{key}: {path} has changed: its SHA-256 is {found[:12]}…, params.yaml has {recorded}; "
            f"if the change is intended, run `{command}` again"
        )
    return open_tree(path)


def _portable(path: Path) -> str:
    """A path inside the repository relative to its root, so that it is valid in a copy of the repository too."""
    root = files.root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
