"""A kill at any write of a training changes no bit of its result and leaves nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_every_write_as_a_crash_point() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.crash_points"],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, "\n".join(line for line in done.stdout.splitlines() if "same bits" not in line)
    points = re.search(r"(\d+) crash points, 0 wrong", done.stdout)
    assert points is not None and int(points[1]) > 60
