"""Trained weights: `weights.safetensors`, and `weights.json` with their architecture and provenance."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from dlcv.engine.arithmetic import device
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import replacing, sha256, write_json

Network = TypeVar("Network", bound=nn.Module)
# Types of what every training writes into `weights.json`.
FACTS: dict[str, type] = {"area": str, "name": str, "fingerprint": str, "params": dict, "data": dict, "sha256": str}


def save_state(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write a state dict, buffers included, to the safetensors file `path`."""
    with replacing(path) as temporary:
        # Not save_file: with write_bytes a full disk raises an OSError.
        temporary.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}))


def load_state(path: Path, network: nn.Module) -> None:
    """Load the safetensors file `path` into `network`.

    Raises:
        UserError: no such file, not a safetensors file, the weights of another network, or values that are not finite.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; `dvc repro` trains it, `dvc pull` fetches it")
    try:
        state = load_file(path)
        network.load_state_dict(state)
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} does not fit {type(network).__name__}: {reason}") from None
    bad = next((name for name, tensor in state.items() if not tensor.isfinite().all()), None)
    if bad is not None:
        raise UserError(f"{path}: {bad} has values that are not finite; fetch or train the weights again")


def save_weights(folder: Path, state: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    """Write `weights.safetensors` and `weights.json` into `folder`.

    Args:
        state: a state dict, buffers included.
        about: the values of `weights.json`; the SHA-256 is added.

    Returns:
        SHA-256 of `weights.safetensors`.
    """
    save_state(folder / "weights.safetensors", state)
    digest = sha256(folder / "weights.safetensors")
    write_json(folder / "weights.json", {**about, "sha256": digest})
    return digest


def read_about(folder: Path) -> dict[str, Any]:
    """The values of `weights.json` in `folder`.

    Raises:
        UserError: a file of the two is missing, or `weights.json` is not JSON or has values of other types. A key that
            it lacks raises this error when it is read.
    """
    for name in ("weights.json", "weights.safetensors"):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is missing; `dvc repro` trains it, `dvc pull` fetches it")
    path = folder / "weights.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"), object_hook=lambda values: _Described(values, path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error}); fetch or train the weights again") from None
    if not isinstance(about, dict):
        raise UserError(f"{path} does not describe weights; fetch or train them again")
    for key, kind in FACTS.items():
        if key in about and not isinstance(about[key], kind):
            raise UserError(f"{path}: {key} is {str(about[key])[:40]!r}; fetch or train the weights again")
    return about


class _Described(dict[str, Any]):
    """An object of `weights.json`; a key that it lacks is the mistake of who wrote the file."""

    def __init__(self, values: Mapping[str, Any], path: Path):
        super().__init__(values)
        self._path = path

    def __missing__(self, key: str) -> Any:
        raise UserError(f"{self._path} lacks the key {key}; fetch or train the weights again")


def training_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """The training that made the weights described by `about`: its name and fingerprint, and their SHA-256."""
    return {key: about[key] for key in ("name", "fingerprint", "sha256")}


def origin(about: Mapping[str, Any]) -> dict[str, Any]:
    """The training of the weights described by `about`, and whether they are averaged, for a file of scores."""
    averaged = about["params"]["training"]["ema_decay"] > 0
    return {
        "training": training_of(about),
        "weights": "average at the last step" if averaged else "last step",
    }


def snapshots_of(folder: Path) -> dict[int, Path]:
    """The snapshots in the folder of a training, by step in ascending order."""
    paths = (folder / "snapshots").glob("step-*.safetensors")
    return dict(sorted((int(path.stem.split("-")[1]), path) for path in paths))


def load_weights(folder: Path, network: nn.Module) -> dict[str, Any]:
    """Load the weights in `folder` into `network`, and return the values of `weights.json`.

    Raises:
        UserError: missing weights, a SHA-256 that differs from `weights.json`, or the weights of another network.
    """
    about = read_about(folder)
    path = folder / "weights.safetensors"
    if sha256(path) != about.get("sha256"):
        raise UserError(f"{path} is not the file that {folder / 'weights.json'} describes; fetch or train both again")
    load_state(path, network)
    return about


def load_network(
    folder: Path,
    build: Callable[[dict[str, Any]], Network],
    *,
    expected: Mapping[str, Any],
    what: str,
    channels_last: bool = True,
) -> tuple[Network, dict[str, Any]]:
    """Load the trained network in `folder`, in eval mode and on the GPU if there is one.

    Args:
        build: makes a network with initial weights from the values of `weights.json`.
        expected: values that `weights.json` must have, `{"area": "gan"}` for example.
        what: the name of the expected weights in messages, "the weights of a GAN".
        channels_last: whether to convert the network to the memory format channels_last.

    Returns:
        The network, and the values of `weights.json`.

    Raises:
        UserError: missing weights, a SHA-256 that differs from `weights.json`, or the weights of another network.
    """
    about = read_about(folder)
    for key, value in expected.items():
        if about.get(key) != value:
            raise UserError(
                f"{folder} holds {key} {about.get(key)}, not {what} ({key} {value}); name the folder of that training"
            )
    try:
        network = build(about)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UserError(
            f"{folder / 'weights.json'} does not describe a network of this version "
            f"({' '.join(str(error).split())}); train it again"
        ) from error
    load_weights(folder, network)
    network.to(device())
    if channels_last:
        network.to(memory_format=torch.channels_last)
    return network.eval(), about


def count_parameters(network: nn.Module) -> int:
    """The number of parameters of `network`, without buffers."""
    return sum(parameter.numel() for parameter in network.parameters())
