"""Bars on a terminal, and nothing elsewhere."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

from dlcv.runtime.progress import bar, over

CODE = """
from dlcv.runtime import progress
from dlcv.runtime.progress import bar, over
assert list(over(range(2), "short", "thing")) == [0, 1]
progress.DELAY = 0
assert list(over(range(3), "things", "thing")) == [0, 1, 2]
with bar("steps", 2, "step") as done:
    done.update()
    done.update()
"""


def test_elsewhere_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(over(iter("ab"), "things")) == ["a", "b"]
    with bar("steps", 2) as done:
        done.update()
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_rate_and_time() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))  # rows and columns
    subprocess.run([sys.executable, "-c", CODE], stderr=theirs, check=True)
    os.set_blocking(ours, False)  # fails where nothing was written
    shown = os.read(ours, 10_000).decode()
    assert "short" not in shown
    assert "things: 100%" in shown and "3/3" in shown and "thing/s" in shown and "steps: 100%" in shown
