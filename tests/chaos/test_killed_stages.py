"""Stages that are killed or stopped at random moments give the bits of undisturbed ones and leave nothing.

`DLCV_KILLS=20 pytest tests/chaos/test_killed_stages.py` is the long form: a stage of each kind, 20 times.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_pipeline import ENTRIES

KILLS = os.environ.get("DLCV_KILLS", "")
# Stages of an archive of the course, and variants of a training, whose code has a kind of its own.
WITHOUT = ("data/ddim", "ddim/task", "adaptation/baseline", "adaptation/network", "adaptation/update")


@pytest.mark.slow
def test_stages_of_each_kind() -> None:
    kinds = [kind for kind in ENTRIES if kind not in WITHOUT] if KILLS else ["data/digits", "evaluation/judge"]
    kills = int(KILLS or 2)
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.killed_stages", "--kills", str(kills), *kinds],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if "stops" in line]
    assert sorted(lines) == sorted(f"{kind}: {kills + 2} stops, 0 wrong" for kind in kinds)
