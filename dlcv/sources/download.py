"""Downloads that can be resumed. A file gets its final name only after its hash has been verified."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import requests
from filelock import FileLock, Timeout
from tqdm import tqdm

from dlcv.runtime import files
from dlcv.runtime.errors import UserError

MAX_FAILURES = 5  # in a row without a new byte
PAUSE = 0.25  # seconds before the second attempt, doubled for each further one
CHUNK = 2**15  # bytes; a lost connection loses at most the chunk in transfer
TIMEOUT = (8, 60)  # seconds: for connecting, and without new data


@dataclass(frozen=True)
class Remote:
    """A file to download.

    Attributes:
        name: its path below data/raw/.
        urls: where it is available, tried in this order.
        hash: "sha256:…" or "md5:…", hexadecimal.
    """

    name: str
    urls: tuple[str, ...]
    hash: str


class _Refused(Exception):
    """A server cannot be reached or refuses to send the file."""


def fetch(remote: Remote) -> Path:
    """Download a file into data/raw/, unless it is already there, and return its path.

    An interrupted download leaves `NAME.part`, which the next attempt or run resumes. Of several processes that want
    the same file, one downloads it and the others wait.

    Raises:
        UserError: no server sent the file, or the file does not have the expected hash.
    """
    path = files.root() / "data" / "raw" / remote.name
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        print(f"another process downloads {path.name}; waiting for it", file=sys.stderr, flush=True)
        held = lock.acquire()
    with held:
        return _fetch(remote, path)


def _fetch(remote: Remote, path: Path) -> Path:
    if path.exists():
        if _hash(path, remote.hash) != remote.hash:
            raise UserError(f"{path} is not the expected file ({remote.hash}); delete it or put the right one there")
        return path
    part = path.with_name(f"{path.name}.part")
    refusals = []
    for url in remote.urls:
        try:
            _download(url, part)
        except _Refused as refusal:
            refusals.append(f"{url} ({refusal})")
            continue
        found = _hash(part, remote.hash)
        if found == remote.hash:
            os.replace(part, path)
            return path
        part.unlink()
        refusals.append(f"{url} (sent another file: {found})")
    raise UserError(
        f"cannot download {path.name} from {' or '.join(refusals)}; download it by hand, "
        f"put it at {path} and run again; expected {remote.hash}"
    )


def _download(url: str, part: Path) -> None:
    """Append to `part` until the file is complete, with a new connection after each failure."""
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part)
            return
        except requests.RequestException as error:
            progressed = part.exists() and part.stat().st_size > before
            failures = 1 if progressed else failures + 1
            # A server that has sent nothing is probably down; a lost connection may come back.
            limit = 2 if not part.exists() or part.stat().st_size == 0 else MAX_FAILURES
            if failures >= limit:
                raise _Refused(_reason(error)) from None
            time.sleep(PAUSE * 2 ** (failures - 1))


def _receive(url: str, part: Path) -> None:
    """Request the missing bytes over one connection and append them to `part`."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:
            # The server has no bytes after these; the hash shows whether the file is complete.
            return
        if 400 <= response.status_code < 500:
            raise _Refused(f"HTTP {response.status_code} {response.reason}")
        response.raise_for_status()
        if response.headers.get("Content-Type", "").startswith("text/html"):
            # Google Drive sends its "quota exceeded" page with status 200.
            raise _Refused("sent a web page instead of the file")
        if response.status_code != 206:
            have = 0  # the server ignores ranges: start again
        total = int(response.headers.get("Content-Length", 0)) + have
        with (
            open(part, "ab" if have else "wb") as file,
            tqdm(
                total=total or None,
                initial=have,
                unit="B",
                unit_scale=True,
                desc=part.stem,
                disable=not sys.stderr.isatty(),
            ) as bar,
        ):
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))


def _hash(path: Path, expected: str) -> str:
    """The hash of a file, with the algorithm of `expected`."""
    algorithm = expected.split(":")[0]
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "timed out"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
