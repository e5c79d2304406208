"""Weights that differ from their `weights.json`, or are those of another network, are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlcv.engine.weights import (
    count_parameters,
    load_network,
    load_state,
    load_weights,
    origin,
    save_state,
    save_weights,
    snapshots_of,
    training_of,
)
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, write_json


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


ABOUT = {"area": "gan", "model": "small", "channels": 4}


def build(about: dict[str, Any]) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, about["channels"], 3), nn.BatchNorm2d(about["channels"]), nn.Dropout())


def load(folder: Path, **options: Any) -> tuple[nn.Sequential, dict[str, Any]]:
    return load_network(folder, build, **{"expected": {"area": "gan"}, "what": "the weights of a GAN", **options})


@pytest.fixture
def trained(tmp_path: Path) -> nn.Sequential:
    """A network whose weights and statistics differ from initial ones, saved in `tmp_path`."""
    torch.manual_seed(3)
    network = build(ABOUT)
    network(torch.randn(4, 3, 8, 8))
    save_weights(tmp_path, network.state_dict(), ABOUT)
    return network


@pytest.mark.parametrize("channels_last", [True, False])
def test_a_network_is_loaded_ready_for_use(tmp_path: Path, trained: nn.Sequential, channels_last: bool) -> None:
    network, about = load(tmp_path, channels_last=channels_last)
    assert about == read_json(tmp_path / "weights.json") and ABOUT.items() < about.items()
    assert all(torch.equal(value.cpu(), trained.state_dict()[key]) for key, value in network.state_dict().items())
    assert not any(layer.training for layer in network.modules())
    weight = network[0].weight
    assert isinstance(weight, torch.Tensor)
    assert weight.is_contiguous(memory_format=torch.channels_last) == channels_last


@pytest.mark.usefixtures("trained")
def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load(tmp_path, expected={"area": "vae"}, what="the weights of a VAE")
    assert (
        str(error.value)
        == f"{tmp_path} holds area gan, not the weights of a VAE (area vae); name the folder of that training"
    )
    with pytest.raises(UserError, match=r"holds model small, not the weights of a large GAN \(model large\)"):
        load(tmp_path, expected={"area": "gan", "model": "large"}, what="the weights of a large GAN")
    with pytest.raises(UserError, match=r"holds kind None, not the judge \(kind judge\)"):
        load(tmp_path, expected={"kind": "judge"}, what="the judge")


def test_weights_that_are_missing_or_damaged_are_refused(tmp_path: Path, trained: nn.Sequential) -> None:
    with pytest.raises(UserError, match=r"none/weights.json is missing; `dvc repro` trains it"):
        load(tmp_path / "none")
    (tmp_path / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(UserError, match="weights.safetensors is not the file that .*weights.json describes"):
        load(tmp_path)
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(UserError, match="weights.safetensors is missing"):
        load(tmp_path)
    save_weights(tmp_path, trained.state_dict(), ABOUT)
    (tmp_path / "weights.json").write_text("{")
    with pytest.raises(UserError, match="weights.json is not JSON .*; fetch or train the weights again"):
        load(tmp_path)


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("value", "problem", "cure"),
    [
        (None, "lacks the key channels", "fetch or train the weights again"),
        ("four", "does not describe a network of this version", "train it again"),
    ],
)
def test_a_description_of_another_version_is_refused(tmp_path: Path, value: Any, problem: str, cure: str) -> None:
    about = {**read_json(tmp_path / "weights.json"), "channels": value}
    write_json(tmp_path / "weights.json", {key: value for key, value in about.items() if value is not None})
    with pytest.raises(UserError) as error:
        load(tmp_path)
    assert f"weights.json {problem}" in str(error.value) and cure in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("trained")
def test_another_architecture_is_refused(tmp_path: Path) -> None:
    about = read_json(tmp_path / "weights.json")
    write_json(tmp_path / "weights.json", {**about, "channels": 8})
    with pytest.raises(UserError, match="weights.safetensors does not fit Sequential: .*size mismatch"):
        load(tmp_path)


@pytest.mark.parametrize(("decay", "expected"), [(0.9, "average at the last step"), (0.0, "last step")])
def test_the_origin_of_weights(decay: float, expected: str) -> None:
    training = {"name": "sngan", "fingerprint": "f" * 64, "sha256": "a" * 64}
    about = {**training, "params": {"training": {"ema_decay": decay}}, "width": 3}
    assert training_of(about) == training
    assert origin(about) == {"training": training, "weights": expected}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "does not describe weights"),
        ("null", "does not describe weights"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"area": 3}', "area is '3'"),
        ('{"area": "test", "params": []}', "params is"),
        ("{}", "holds area None, not the weights of a test"),
        ('{"area": "test"}', "lacks the key width"),
    ],
)
def test_every_description_of_a_stranger_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    save_state(tmp_path / "weights.safetensors", nn.Linear(1, 1).state_dict())
    (tmp_path / "weights.json").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        load_network(
            tmp_path,
            lambda about: nn.Linear(about["width"], about["nested"]["key"]),
            expected={"area": "test"},
            what="the weights of a test",
        )
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    state = nn.Linear(2, 1).state_dict()
    state["weight"][0, 1] = value
    save_state(tmp_path / "w.safetensors", state)
    with pytest.raises(UserError, match=r"w.safetensors: weight has values that are not finite; fetch or train"):
        load_state(tmp_path / "w.safetensors", nn.Linear(2, 1))
