"""Downloads that resume, are checked against a hash, and only then get their name."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm import tqdm

from dlcv.runtime import files
from dlcv.runtime.errors import UserError

ATTEMPTS = 5  # in a row without a new byte
PAUSE = 0.25  # seconds before the second attempt, doubled for each further one
CHUNK = 2**15  # bytes; what a cut connection had of the next chunk is lost
TIMEOUT = (8, 60)  # seconds to connect, and of silence


@dataclass(frozen=True)
class Remote:
    """A file to download.

    Attributes:
        name: its path below data/raw/.
        urls: where it is; the later ones are tried when the earlier refuse.
        hash: "sha256:…" or "md5:…", hexadecimal.
    """

    name: str
    urls: tuple[str, ...]
    hash: str


class _Refused(Exception):
    """A server that cannot be reached, or that says no."""


def fetch(remote: Remote) -> Path:
    """Path of the file in data/raw/, downloaded unless it is there already.

    A cut download leaves `NAME.part`, and the next attempt or run continues it.

    Raises:
        UserError: every server refused, or the bytes are not those that the hash promises.
    """
    path = files.root() / "data" / "raw" / remote.name
    if path.exists():
        if _digest(path, remote.hash) != remote.hash:
            raise UserError(
                f"{path} is not the file that is expected ({remote.hash}); delete it or put the right one there"
            )
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    refusals = []
    for url in remote.urls:
        try:
            _download(url, part)
        except _Refused as refusal:
            refusals.append(f"{url} ({refusal})")
            continue
        found = _digest(part, remote.hash)
        if found == remote.hash:
            os.replace(part, path)
            return path
        part.unlink()
        refusals.append(f"{url} (sent other bytes: {found})")
    raise UserError(
        f"cannot download {path.name} from {' or '.join(refusals)}; get it by hand, "
        f"put it at {path} and run again; expected {remote.hash}"
    )


def _download(url: str, part: Path) -> None:
    """Append to `part` until the server has no more, over as many connections as it takes."""
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part)
            return
        except requests.RequestException as error:
            progressed = part.exists() and part.stat().st_size > before
            failures = 1 if progressed else failures + 1
            # A server that never answered will not answer soon; one that was cut off may.
            limit = 2 if not part.exists() or part.stat().st_size == 0 else ATTEMPTS
            if failures >= limit:
                raise _Refused(_reason(error)) from None
            time.sleep(PAUSE * 2 ** (failures - 1))


def _receive(url: str, part: Path) -> None:
    """One connection: ask for what is missing and write what comes."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:
            # Nothing lies beyond what is here; the hash decides whether it is the whole file.
            return
        if 400 <= response.status_code < 500:
            raise _Refused(f"HTTP {response.status_code} {response.reason}")
        response.raise_for_status()
        if response.headers.get("Content-Type", "").startswith("text/html"):
            # Google Drive's "quota exceeded" page comes with status 200.
            raise _Refused("sent a web page instead of the file")
        if response.status_code != 206:
            have = 0  # the server ignores ranges: begin anew
        total = int(response.headers.get("Content-Length", 0)) + have
        with (
            open(part, "ab" if have else "wb") as file,
            tqdm(total=total or None, initial=have, unit="B", unit_scale=True, desc=part.stem, disable=_quiet()) as bar,
        ):
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))


def _digest(path: Path, expected: str) -> str:
    algorithm = expected.split(":")[0]
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def _quiet() -> bool:
    return not sys.stderr.isatty()


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
