"""A folder or a zip archive as one tree of files, and its fingerprint.

Archives are read in place: nothing is unpacked to disk, so a name that climbs out of the archive could
do no harm here; such an archive is refused all the same, because whoever made it meant harm elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dlcv.data.config import Location
from dlcv.runtime import files
from dlcv.runtime.errors import UserError

LARGEST = 256 * 2**20  # bytes of one unpacked file; an image of the data sets has kilobytes


@dataclass(frozen=True)
class Tree:
    """Files by their names relative to the top, with forward slashes, sorted.

    Attributes:
        where: the folder or archive, for messages.
        names: of all files but the hidden ones.
        read: from a name to the file's bytes.
    """

    where: str
    names: tuple[str, ...]
    read: Callable[[str], bytes]

    def under(self, folder: str) -> list[str]:
        """Names of all files in `folder` at any depth; the empty string is the top."""
        return [name for name in self.names if name.startswith(f"{folder}/")] if folder else list(self.names)


def open_tree(path: Path) -> Tree:
    """Open a folder or a zip archive.

    Raises:
        UserError: it is missing, empty, damaged, neither folder nor zip, or holds a name that climbs out.
    """
    if path.is_dir():
        tree = _open_folder(path)
    elif path.is_file():
        tree = _open_zip(path)
    else:
        raise UserError(f"there is no {path}; put the data there, or run `dlcv data register PATH` with its new place")
    if not tree.names:
        raise UserError(f"{path} is empty; register a folder or zip archive that holds images")
    return tree


def open_registered(location: Location, key: str, command: str) -> Tree:
    """Open what `dlcv data register` recorded, after proving that it is still the same.

    Args:
        location: the section of params.yaml.
        key: its name there, for messages.
        command: the command that records it.

    Raises:
        UserError: nothing is recorded, it is missing, or its SHA-256 is another one.
    """
    if location.path is None:
        raise UserError(f"params.yaml: {key}.path is empty; run `{command}` first")
    path = files.root() / location.path
    if not path.exists():
        raise UserError(f"{key}: there is no {path}; put the data there, or run `{command}` with its new place")
    found = fingerprint(path)
    if found != location.sha256:
        recorded = f"{location.sha256[:12]}…" if location.sha256 else "nothing"
        raise UserError(
            f"{key}: {path} has changed: its SHA-256 is {found[:12]}…, params.yaml has {recorded}; "
            f"if the change is meant, run `{command}` again"
        )
    return open_tree(path)


def fingerprint(path: Path) -> str:
    """SHA-256 of a file, or of a folder's sorted list of (relative path, SHA-256) of its files."""
    if not path.is_dir():
        return files.sha256(path)
    digest = hashlib.sha256()
    for name in _folder_names(path):
        digest.update(f"{name}\0{files.sha256(path / name)}\n".encode())
    return digest.hexdigest()


def _open_folder(path: Path) -> Tree:
    return Tree(str(path), tuple(_folder_names(path)), lambda name: (path / name).read_bytes())


def _folder_names(path: Path) -> list[str]:
    names = []
    for folder, _, inside in os.walk(path):
        relative = Path(folder).relative_to(path)
        names += [(relative / name).as_posix() for name in inside]
    return sorted(name for name in names if not _hidden(name))


def _open_zip(path: Path) -> Tree:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is not a whole zip archive ({error}); download or copy it again") from None
    entries = {}
    for entry in archive.infolist():
        _refuse_climbing(entry.filename, path)
        if not entry.is_dir() and not _hidden(entry.filename):
            entries[entry.filename] = entry

    def read(name: str) -> bytes:
        if entries[name].file_size > LARGEST:
            raise UserError(f"{path}: {name} would unpack to {entries[name].file_size} bytes; take it out of the data")
        try:
            return archive.read(entries[name])
        # RuntimeError: a password is needed; NotImplementedError: a compression that Python lacks.
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise UserError(f"{path}: cannot read {name} ({error}); download or copy the archive again") from None

    return Tree(str(path), tuple(sorted(entries)), read)


def _refuse_climbing(name: str, path: Path) -> None:
    # Backslashes and drive letters count too: other unpackers take them for folders.
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or name[1:2] == ":":
        raise UserError(f"{path} holds the name {name!r}, which climbs out of the archive; do not use this archive")


def _hidden(name: str) -> bool:
    """What file managers leave behind: .DS_Store, ._x, __MACOSX/, Thumbs.db."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1] == "Thumbs.db" or any(part.startswith(".") for part in parts)
