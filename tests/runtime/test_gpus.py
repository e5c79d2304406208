"""Stages share GPUs as their memory allows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dlcv.runtime import gpus
from dlcv.runtime.errors import UserError
from dlcv.runtime.gpus import CONTEXT, FRAGMENTS, OTHERS, Gpus, needed

GB = 1e9


def test_a_machine_without_gpus_has_room_for_all() -> None:
    machine = Gpus({}, {"a": 100 * GB})
    assert [machine.place(stage) for stage in "abc"] == ["", "", ""]


def test_without_needs_the_gpu_with_the_fewest_stages_is_taken() -> None:
    machine = Gpus({"0": 8 * GB, "3": 80 * GB})
    assert [machine.place(stage) for stage in "abcd"] == ["0", "3", "0", "3"]
    machine.leave("b")
    machine.leave("d")
    assert machine.place("e") == "3"


def test_a_stage_waits_until_its_memory_is_free() -> None:
    size = (10 * GB - CONTEXT) / FRAGMENTS
    machine = Gpus({"0": 24 * GB}, dict.fromkeys("abc", size))
    assert [machine.place(stage) for stage in "abc"] == ["0", "0", None]
    machine.leave("a")
    assert machine.place("c") == "0"


def test_the_emptiest_gpu_is_taken_and_one_that_is_too_small_alone() -> None:
    machine = Gpus({"0": 24 * GB, "1": 12 * GB}, {"large": 40 * GB, "small": GB})
    assert machine.place("large") == "0"  # fits nowhere; running out of memory says what to lower
    assert machine.place("other") == "1"  # trains nothing
    assert machine.running["1"] == {"other": OTHERS * FRAGMENTS + CONTEXT}
    assert machine.place("small") == "1"
    assert machine.place("larger") is None


PROGRAM = """
import json, sys
from pathlib import Path
assert sys.argv[1:] == ["-m", "dlcv", "doctor", "--memory"]
with Path("calls").open("a") as file:
    file.write("called ")
print(json.dumps({"stages/gan/dvc.yaml:train@dcgan-0": 5e9}))
"""


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the measurement, by a program in place of `dlcv doctor`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program").write_text(f"#!{sys.executable}\n{PROGRAM}")
    (tmp_path / "program").chmod(0o755)
    monkeypatch.setattr(gpus.sys, "executable", str(tmp_path / "program"))
    (tmp_path / "params.yaml").write_text("seed: 0\n")
    return tmp_path / "measured.json"


def test_the_memory_is_measured_once_for_the_same_parameters(measured: Path) -> None:
    for seed in (0, 0, 1):
        Path("params.yaml").write_text(f"seed: {seed}\n")
        assert needed(Path("params.yaml"), measured) == {"stages/gan/dvc.yaml:train@dcgan-0": 5e9}
    assert Path("calls").read_text().split() == ["called"] * 2


def test_a_measurement_that_fails_is_one_line(measured: Path) -> None:
    Path("program").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(UserError, match="cannot be measured; give --jobs"):
        needed(Path("params.yaml"), measured)
    assert not measured.exists()
