"""Which GPUs there are, and which one a command uses."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlcv.runtime import devices
from dlcv.runtime.errors import UserError


@pytest.fixture(autouse=True)
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that lists two GPUs, and no choice among them."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 0; echo 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv(devices.VISIBLE, "to be restored")
    monkeypatch.delenv(devices.VISIBLE)
    monkeypatch.setenv(devices.ACCELERATE_CPU, "false")  # to be restored, too
    return program


@pytest.mark.parametrize(("device", "visible"), [("cpu", ""), ("cuda", None), ("cuda:0", "0"), ("cuda:1", "1")])
def test_a_device_is_chosen(device: str, visible: str | None) -> None:
    devices.use(device)
    assert os.environ.get(devices.VISIBLE) == visible


@pytest.mark.parametrize(("visible", "expected"), [("-1", []), ("0,-1,1", ["0"]), ("", []), ("3, 7", ["3", "7"])])
def test_a_variable_hides_gpus(
    two_gpus: Path, monkeypatch: pytest.MonkeyPatch, visible: str, expected: list[str]
) -> None:
    monkeypatch.setenv(devices.VISIBLE, visible)
    assert devices.gpus() == expected
    two_gpus.unlink()
    monkeypatch.setenv("PATH", "")
    assert devices.gpus() == []  # what the variable names is not there


def test_a_number_counts_the_visible_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.VISIBLE, "3,7")
    devices.use("cuda:1")
    assert os.environ[devices.VISIBLE] == "7"


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:-1", "CPU", "0"])
def test_another_name_is_one_line(device: str) -> None:
    with pytest.raises(UserError, match=f"--device {device}: give cpu, cuda or cuda:N"):
        devices.use(device)


def test_a_gpu_that_is_not_there_is_one_line(two_gpus: Path) -> None:
    with pytest.raises(UserError, match="--device cuda:2: the GPUs here are 0 to 1; give another, or cpu"):
        devices.use("cuda:2")
    two_gpus.write_text("#!/bin/sh\nexit 9\n")  # a driver that does not work
    with pytest.raises(UserError, match="--device cuda: there is no NVIDIA GPU here; give another, or cpu"):
        devices.use("cuda")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "expected"),
    [(["--device", "cpu"], "''"), (["--device=cuda:1"], "'1'"), (["--device", "cuda:9"], "the GPUs here are 0 to 1")],
)
def test_the_option_precedes_any_command(option: list[str], expected: str) -> None:
    code = f"""
import os, sys
from dlcv.cli import run
from dlcv.runtime.errors import UserError
sys.argv[1:] = {[*option, "evaluate", "digits", "/missing"]}
try:
    run()
except UserError as error:
    print(error, repr(os.environ.get("{devices.VISIBLE}")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert expected in done.stdout, done.stdout + done.stderr


def test_the_memory_of_each_gpu(two_gpus: Path) -> None:
    assert devices.memory() == {"0": math.inf, "1": math.inf}  # the program says something else
    two_gpus.write_text('#!/bin/sh\ncase "$*" in *memory*) echo 1000;; *) echo 0; echo 1;; esac\n')
    assert devices.memory() == {"0": 1000 * 2**20, "1": 1000 * 2**20}


@pytest.mark.parametrize(
    ("variables", "visible", "expected"),
    [
        ({}, "", (None, True)),
        ({"WORLD_SIZE": "1", "RANK": "0"}, "", (None, True)),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "", ("true", True)),
        ({"WORLD_SIZE": "2", "RANK": "1"}, "", ("true", False)),
        ({"WORLD_SIZE": "2", "RANK": "1"}, "0,1", (None, False)),
    ],
)
def test_processes_that_start_together_share_the_cpu_and_print_once(
    variables: dict[str, str], visible: str, expected: tuple[str | None, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WORLD_SIZE", "RANK", devices.ACCELERATE_CPU):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(devices.VISIBLE, visible)
    monkeypatch.setattr(sys, "stdout", before := sys.stdout)  # to be restored
    devices.join_others()
    assert (os.environ.get(devices.ACCELERATE_CPU), sys.stdout is before) == expected
