"""Files that are written as a whole or not at all, and their hashes."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlcv.runtime.errors import UserError


def root() -> Path:
    """The root of the repository: `DVC_ROOT` if DVC has set it, otherwise the working directory.

    A queued experiment runs in a temporary copy, but `DVC_ROOT` is still the main repository. Checkpoints and the
    tracking database have to outlive the copy, so they are kept in this root.
    """
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, for a file or folder, and rename it to `path` on success.

    After an exception the temporary file or folder is removed, and `path` is unchanged. What a killed process left is
    removed when `path` is written again; until then its name is in `.dvcignore`, so that no stage changes by it.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # of /proc, for example, where no folder can be made
        raise UserError(f"cannot make the folder {path.parent} ({error.strerror}); name another place") from None
    except FileExistsError:
        raise UserError(f"{path.parent} is a file, so {path.name} cannot be inside; name another place") from None
    _sweep(path)
    # The suffix stays at the end: matplotlib and others choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        if temporary.is_dir() and path.is_dir():
            # os.replace cannot replace a folder that is not empty.
            old = path.with_name(f".{path.stem}.{os.getpid()}.old{path.suffix}")
            os.replace(path, old)
            try:
                os.replace(temporary, path)
            except OSError:
                os.replace(old, path)
                raise
            shutil.rmtree(old)
        else:
            os.replace(temporary, path)
    finally:
        remove(temporary)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; nothing happens if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove the temporary files for `path` of processes that are gone."""
    names = re.compile(rf"\.{re.escape(path.stem)}\.(\d+)\.(part|old){re.escape(path.suffix)}")
    for other in path.parent.glob(f".{glob.escape(path.stem)}.*"):
        match = names.fullmatch(other.name)
        if match and not _runs(int(match[1])):
            remove(other)


def _runs(process: int) -> bool:
    """Whether a process with this number runs on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with its keys in the given order: equal values give equal bytes.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """The value of the JSON file `path`."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
