"""A folder or a zip archive as a tree of files, and its SHA-256.

Archives are read in place. Nothing is extracted to disk, so a file name with `..` could do no harm here.
An archive with such a name is refused anyway, because it was probably made to attack other programs.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dlcv.runtime import files
from dlcv.runtime.errors import UserError

MAX_FILE_SIZE = 2**30  # bytes of one extracted file; the weights in an archive of the course have 0.45 x 10^9


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
        tree = FileTree(str(path), tuple(_names_in_folder(path)), lambda name: _read(path / name))
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
        with _readable(path / name):
            digest.update(f"{name}\0{files.sha256(path / name)}\n".encode())
    return digest.hexdigest()


def _names_in_folder(path: Path) -> list[str]:
    """Names as in `FileTree`. Links to folders are followed.

    Raises:
        UserError: a link that leads back to a folder above it, a folder that cannot be listed, or a name that is not
            UTF-8.
    """
    names = []
    for folder, inside, found in os.walk(path, followlinks=True, onerror=_refuse_folder):
        here = Path(folder)
        for name in inside:
            if (here / name).is_symlink() and here.resolve().is_relative_to((here / name).resolve()):
                raise UserError(f"{here / name} is a link to a folder above it; remove the link")
        names += [(here.relative_to(path) / name).as_posix() for name in found]
    for name in names:
        if not name.isascii() and name != name.encode(errors="replace").decode():
            raise UserError(f"{path} has the file name {name!a}, which is not UTF-8; rename the file")
    return sorted(name for name in names if not _hidden(name))


def _refuse_folder(error: OSError) -> None:
    raise UserError(f"cannot list {error.filename} ({error.strerror}); mend its permissions")


def _read(path: Path) -> bytes:
    with _readable(path):
        return path.read_bytes()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what the system says of a file that cannot be read into a UserError."""
    try:
        yield
    except OSError as error:
        what = (
            "is a link to nothing" if path.is_symlink() and not path.exists() else f"cannot be read ({error.strerror})"
        )
        raise UserError(f"{path} {what}; mend it or take it out of the data") from None


def _open_zip(path: Path) -> FileTree:
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # of a damaged file zipfile raises what its parts raise: struct.error, OSError, ...
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not a complete zip archive ({reason}); download or copy it again") from None
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
        except Exception as error:  # each compression raises its own; a password or an unknown method is RuntimeError
            reason = " ".join(str(error).split())
            raise UserError(f"{path}: cannot read {name} ({reason}); download or copy the archive again") from None

    return FileTree(str(path), tuple(sorted(entries)), read)


def _refuse_outside(name: str, path: Path) -> None:
    if not name:  # zipfile cuts a name at a zero byte
        raise UserError(f"{path} has a file without a name; download or copy the archive again")
    # Backslashes and drive letters count too: some programs extract them as folders.
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or name[1:2] == ":":
        raise UserError(f"{path} has the file name {name!r}, which points outside the archive; do not use this archive")


def _hidden(name: str) -> bool:
    """Whether a file was left by a file manager: .DS_Store, ._x, __MACOSX/, Thumbs.db."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1] == "Thumbs.db" or any(part.startswith(".") for part in parts)
