"""Weights are what the JSON beside them says, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from dlcv.errors import UserError
from dlcv.weights import count_parameters, load_weights, save_weights


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


def test_count_parameters_leaves_buffers_out() -> None:
    assert count_parameters(nn.BatchNorm1d(3)) == 6
