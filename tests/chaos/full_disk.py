"""A disk that fills at every stage of a training: one clear line, nothing half-written, and the next run goes on.

    python -m tests.chaos.full_disk

The small training of `crash_points` runs on a disk in memory of 4 KiB, 12 KiB and so on, until one is large enough.
A training that does not fit ends in one line that names the full disk. The disk then grows, and a second run has to
give the bits of an undisturbed one. Needs the right to mount.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from dlcv import __main__ as command
from dlcv import cli
from tests.chaos.crash_points import OUT, outputs, start_anew, work

STEP = 8  # KiB between the sizes
LARGE = 8192  # KiB
# A process without the right to mount cannot test this.
CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
)


@contextmanager
def disk(size: int) -> Iterator[Path]:
    """An empty disk of `size` KiB."""
    place = Path(tempfile.mkdtemp())
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        os.chdir("/")
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def grow(place: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={LARGE}k", str(place)], check=True)


def in_a_fork(place: Path, messages: Path) -> int:
    """The exit code of `dlcv`, whose command is `work`, in the folder `place`; its messages go to a file."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.chdir(place)
    os.dup2(os.open(messages, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    cli.run = work
    code = 0
    try:
        command.main()
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    except BaseException as error:
        sys.stderr.write(f"TRACEBACK {error!r}\n")
        code = 99
    sys.stderr.flush()
    os._exit(code)


def main() -> int:
    """Print what came of each size; exit code 1 if one left something or gave another output."""
    torch.set_num_threads(1)
    os.environ |= {"DLCV_TRACKING": "off"}
    os.environ.pop("DVC_ROOT", None)
    messages = Path(tempfile.mkdtemp()) / "messages"
    os.chdir(tempfile.mkdtemp())
    work()
    expected = outputs()
    start_anew()
    wrong = sizes = 0
    for size in range(4, LARGE, STEP):
        with disk(size) as place:
            code = in_a_fork(place, messages)
            said = messages.read_text().splitlines()
            os.chdir(place)
            if code == 0 and outputs() == expected:
                break
            sizes += 1
            clear = code == 1 and len(said) == 1 and "the disk is full" in said[0] and not OUT.exists()
            grow(place)
            code = in_a_fork(place, messages)
            same = code == 0 and outputs() == expected
            left = [str(path) for path in Path(".checkpoints").rglob("*") if path.is_file() and path.suffix != ".lock"]
            wrong += not (clear and same) or bool(left)
            print(
                f"{size:5} KiB: {said[-1] if clear else f'NOT ONE LINE {said}'}; then "
                f"{'same bits' if same else f'ANOTHER OUTPUT, exit code {code}'} {left or ''}".rstrip()
            )
    print(f"{sizes} full disks, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
