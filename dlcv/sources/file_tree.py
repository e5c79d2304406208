"""A folder or a zip archive as a tree of files, and its SHA-256.

Archives are read in place. Nothing is extracted to disk, so a file name with `..` could do no harm here.
An archive with such a name is refused anyway, because it was probably made to attack other programs.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dlcv.runtime import files
from dlcv.runtime.errors import UserError

MAX_FILE_SIZE = 256 * 2**20  # bytes of one extracted file; an image of the data sets has kilobytes


@dataclass(frozen=True)
class FileTree:
    """The files of a folder or archive.

    Attributes:
        where: path of the folder or archive, for messages.
        names: paths of all files except hidden ones, relative to the top, with forward slashes, sorted.
        read: returns the bytes of the file with a name.
    """

    where: str
    names: tuple[str, ...]
    read: Callable[[str], bytes]

    def under(self, folder: str) -> list[str]:
        """Names of all files in `folder` at any depth; the empty string is the top."""
        return [name for name in self.names if name.startswith(f"{folder}/")] if folder else list(self.names)


def open_tree(path: Path) -> FileTree:
    """Open a folder or a zip archive.

    Raises:
        UserError: it is missing, empty, damaged, neither a folder nor a zip archive, or has a file name that
            points outside the archive.
    """
    if path.is_dir():
        tree = FileTree(str(path), tuple(_names_in_folder(path)), lambda name: (path / name).read_bytes())
    elif path.is_file():
        tree = _open_zip(path)
    else:
        raise UserError(f"there is no {path}; put the data there, or run `dlcv data register PATH` with the new path")
    if not tree.names:
        raise UserError(f"{path} is empty; register a folder or zip archive with images")
    return tree


def fingerprint(path: Path) -> str:
    """SHA-256 of a file; of a folder, over the sorted relative paths and SHA-256 values of its files."""
    if not path.is_dir():
        return files.sha256(path)
    digest = hashlib.sha256()
    for name in _names_in_folder(path):
        digest.update(f"{name}\0{files.sha256(path / name)}\n".encode())
    return digest.hexdigest()


def _names_in_folder(path: Path) -> list[str]:
    names = []
    for folder, _, inside in os.walk(path):
        relative = Path(folder).relative_to(path)
        names += [(relative / name).as_posix() for name in inside]
    return sorted(name for name in names if not _hidden(name))


def _open_zip(path: Path) -> FileTree:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is not a complete zip archive ({error}); download or copy it again") from None
    entries = {}
    for entry in archive.infolist():
        _refuse_outside(entry.filename, path)
        if not entry.is_dir() and not _hidden(entry.filename):
            entries[entry.filename] = entry

    def read(name: str) -> bytes:
        size = entries[name].file_size
        if size > MAX_FILE_SIZE:
            raise UserError(f"{path}: {name} has {size} bytes when extracted, which is too large; remove it")
        try:
            return archive.read(entries[name])
        # RuntimeError: needs a password; NotImplementedError: a compression method that Python lacks.
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise UserError(f"{path}: cannot read {name} ({error}); download or copy the archive again") from None

    return FileTree(str(path), tuple(sorted(entries)), read)


def _refuse_outside(name: str, path: Path) -> None:
    # Backslashes and drive letters count too: some programs extract them as folders.
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or name[1:2] == ":":
        raise UserError(f"{path} has the file name {name!r}, which points outside the archive; do not use this archive")


def _hidden(name: str) -> bool:
    """Whether a file was left by a file manager: .DS_Store, ._x, __MACOSX/, Thumbs.db."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1] == "Thumbs.db" or any(part.startswith(".") for part in parts)
