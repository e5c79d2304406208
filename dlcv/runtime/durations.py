"""How long stages took, in a file that DVC does not track: equal inputs give equal outputs, but not equal times."""

from __future__ import annotations

import atexit
import json
import os
import time
from pathlib import Path

from dlcv.runtime.files import root

PATH = Path(".dvc/tmp/dlcv-durations.jsonl")


def measure() -> None:
    """Write the duration of this process at its end, if it is a stage that DVC runs."""
    stage = os.environ.get("DVC_STAGE")
    path = root() / PATH
    if stage and path.parent.is_dir():
        start = time.monotonic()
        atexit.register(lambda: _append(path, stage, time.monotonic() - start))


def last(folder: Path | None = None) -> dict[str, float]:
    """The seconds of the last run of each stage, by its address, in the repository `folder`, by default this one."""
    path = (folder or root()) / PATH
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {stage: seconds for line in lines for stage, seconds in [json.loads(line)]}


def _append(path: Path, stage: str, seconds: float) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps([stage, round(seconds, 1)]) + "\n")
