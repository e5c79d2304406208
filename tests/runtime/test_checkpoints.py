"""What a kill, a full disk and another machine leave of checkpoints."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections import namedtuple
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import torch

from dlcv.runtime import checkpoints as module
from dlcv.runtime.checkpoints import Checkpoints, random_state, restore_random_state
from dlcv.runtime.errors import UserError


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoints:
    """A training with a checkpoint and a snapshot."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    checkpoints = Checkpoints("gan", "sngan-0", "f" * 64)
    checkpoints.save(10, {"value": 1})
    checkpoints.publish(10)
    (checkpoints.folder / "snapshots").mkdir()
    (checkpoints.folder / "snapshots/step-000005.safetensors").write_bytes(b"old")
    return checkpoints


def test_their_folder_names_what_the_steps_depend_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    fingerprint = "0123456789abcdef" * 4
    folder = tmp_path / ".checkpoints/gan/sngan-0"
    torch_ = f"torch{torch.__version__}"
    assert Checkpoints("gan", "sngan-0", fingerprint).folder == folder / f"0123456789abcdef-1xcpu-{torch_}"
    several = Checkpoints("gan", "sngan-0", fingerprint, "cuda", 1, 2)
    assert several.folder == folder / f"0123456789abcdef-2xcuda-{torch_}"


def test_a_new_checkpoint_replaces_the_earlier_one_and_success_removes_all(saved: Checkpoints) -> None:
    saved.save(20, {"value": 2})
    saved.publish(20)
    state = saved.latest()
    assert state is not None and state["step"] == 20
    assert [path.name for path in saved.folder.glob("step-*")] == ["step-000000020"]
    saved.remove()
    assert list(saved.folder.parent.iterdir()) == []


def test_a_kill_while_they_are_removed_leaves_none(saved: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint without its snapshots would give a result without them."""

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            saved.remove()
    assert saved.latest() is None and not saved.folder.exists()
    (left,) = [path for path in saved.folder.parent.iterdir() if path.is_dir()]
    assert left.name.startswith(".") and left.name.endswith(".old")
    with saved.held():
        assert not left.exists()


def test_a_half_written_snapshot_is_removed_at_the_next_start(saved: Checkpoints) -> None:
    half = saved.folder / "snapshots/.step-000010.123.part.safetensors"
    half.write_bytes(b"half")
    with saved.held():
        assert [path.name for path in (saved.folder / "snapshots").iterdir()] == ["step-000005.safetensors"]


def test_a_folder_without_its_file_is_skipped(saved: Checkpoints) -> None:
    (saved.folder / "step-000000020").mkdir()
    state = saved.latest()
    assert state is not None and state["step"] == 10


def test_a_checkpoint_that_is_not_published_is_skipped(saved: Checkpoints) -> None:
    saved.save(20, {"value": 2})
    saved.save(20, {"value": 2})  # a resumed process writes it again
    state = saved.latest()
    assert state is not None and (state["step"], state["value"]) == (10, 1)


def test_a_checkpoint_that_runs_code_is_refused(saved: Checkpoints) -> None:
    torch.save({"step": 10, "random": Path("/")}, saved.folder / "step-000000010/rank-0.pt")
    with pytest.raises(
        UserError, match=r"cannot read the checkpoint .*rank-0\.pt \(.*\); remove .* to start anew"
    ) as error:
        saved.latest()
    reason = str(error.value).split("(", 1)[1].rsplit(")", 1)[0]
    assert reason.startswith("Weights only load failed. ") and len(reason) == 120 and "  " not in reason


def test_every_generator_goes_on_where_it_was() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    state = random_state()
    expected = draw()
    assert draw() != expected
    restore_random_state(state)
    assert draw() == expected


def test_the_run_of_a_killed_training_is_known(saved: Checkpoints) -> None:
    assert saved.run_id() is None
    saved.keep_run_id(None)
    assert saved.run_id() is None
    saved.keep_run_id("abc")
    assert saved.run_id() == "abc"
    new = Checkpoints("gan", "dcgan-0", "e" * 64)
    new.keep_run_id("def")
    assert new.run_id() == "def" and saved.run_id() == "abc"


@pytest.mark.parametrize("free", [0, 2 * module.SPARE, 10 * module.SPARE])
def test_a_full_disk_is_one_error_and_keeps_the_earlier_checkpoint(
    saved: Checkpoints, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    def refuse(_: object, file: BinaryIO) -> None:
        file.write(bytes(2 * module.SPARE))  # the space that is free once the half-written file is gone
        file.flush()
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed\nmore lines")

    monkeypatch.setattr(torch, "save", refuse)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1, 1, free if folder == saved.folder else None))
    with pytest.raises((OSError, RuntimeError)) as error:
        saved.save(20, {"value": 2})
    full = isinstance(error.value, OSError) and error.value.errno == errno.ENOSPC
    assert full == (free <= 2 * module.SPARE)  # an error of another kind keeps its traceback
    if isinstance(error.value, OSError):
        assert error.value.filename == str(saved.folder / "step-000000020.part/rank-0.pt")
        assert error.value.strerror == "No space left on device"
    assert list(saved.folder.glob("*.part")) == []
    state = saved.latest()
    assert state is not None and state["step"] == 10


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_another_error_of_the_system_is_not_called_a_full_disk(
    saved: Checkpoints, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError) as error:
        saved.save(20, {"value": 2})
    assert error.value.errno == (errno.EIO if number == errno.EIO else errno.ENOSPC)


def test_a_place_that_cannot_be_opened_is_named(saved: Checkpoints) -> None:
    place = saved.folder / "step-000000020.part/rank-0.pt"
    place.mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as error:
        saved.save(20, {"value": 2})
    assert error.value.filename == str(place)


def test_fewer_gpus_than_before(monkeypatch: pytest.MonkeyPatch) -> None:
    restored = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda values, index: restored.append((values, index)))
    restore_random_state({**random_state(), "cuda": ["first", "second"]})
    assert restored == [("first", 0)]
