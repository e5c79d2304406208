"""Weights are what the JSON beside them says, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from dlcv.engine.weights import count_parameters, load_state, load_weights, save_state, save_weights, snapshots_of
from dlcv.runtime.errors import UserError


def test_saved_weights_come_back_with_their_json(tmp_path: Path) -> None:
    network = nn.BatchNorm1d(3)
    digest = save_weights(tmp_path, network.state_dict(), {"name": "x"})
    other = nn.BatchNorm1d(3)
    nn.init.zeros_(other.weight)
    assert load_weights(tmp_path, other) == {"name": "x", "sha256": digest}
    assert torch.equal(other.weight, network.weight)
    assert save_weights(tmp_path / "again", network.state_dict(), {"name": "x"}) == digest


def test_weights_that_are_not_what_they_claim_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights.json is missing; `dvc repro` trains it"):
        load_weights(tmp_path, nn.Linear(1, 1))
    save_weights(tmp_path, nn.Linear(2, 1).state_dict(), {})
    with pytest.raises(UserError, match="weights.safetensors does not fit Linear: .*size mismatch"):
        load_weights(tmp_path, nn.Linear(1, 1))
    file = tmp_path / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match="is not the file that .*weights.json describes"):
        load_weights(tmp_path, nn.Linear(2, 1))


def test_a_state_comes_back_with_its_buffers_in_any_memory_format(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    network(torch.randn(2, 3, 8, 8))
    path = tmp_path / "snapshots" / "step-000001.safetensors"
    save_state(path, network.state_dict())
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    load_state(path, other)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in network.state_dict().items())
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # no temporary stays


def test_a_state_that_is_missing_cut_or_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "step-000001.safetensors"
    with pytest.raises(UserError, match="step-000001.safetensors is missing; `dvc repro` trains it"):
        load_state(path, nn.Linear(1, 1))
    save_state(path, nn.Linear(2, 1).state_dict())
    with pytest.raises(UserError, match="step-000001.safetensors does not fit Linear: .*size mismatch"):
        load_state(path, nn.Linear(1, 1))
    with pytest.raises(UserError, match="does not fit BatchNorm1d: .*Missing key"):
        load_state(path, nn.BatchNorm1d(1))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match="step-000001.safetensors does not fit Linear: ") as error:
        load_state(path, nn.Linear(2, 1))
    assert "\n" not in str(error.value)


def test_count_parameters_leaves_buffers_out() -> None:
    assert count_parameters(nn.BatchNorm1d(3)) == 6


def test_snapshots_are_in_the_order_of_their_steps(tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    for step in (1_000_000, 5, 200_000):
        (tmp_path / f"snapshots/step-{step:06d}.safetensors").touch()
    assert list(snapshots_of(tmp_path)) == [5, 200_000, 1_000_000]
