"""Trained weights: a safetensors file, and a JSON that says what they are and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, replacing, sha256, write_json

Network = TypeVar("Network", bound=nn.Module)


def save_state(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write a state dict, buffers included, to the safetensors file `path`."""
    with replacing(path) as temporary:
        # Not save_file: a full disk is an OSError here and no error of its own kind.
        temporary.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}))


def load_state(path: Path, network: nn.Module) -> None:
    """Load the safetensors file `path` into `network`.

    Raises:
        UserError: no such file, not safetensors, or another network's.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; `dvc repro` trains it, `dvc pull` fetches it")
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} does not fit {type(network).__name__}: {reason}") from None


def save_weights(folder: Path, state: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    """Write `weights.safetensors` and `weights.json` into `folder`.

    Args:
        state: a state dict, buffers included.
        about: architecture and provenance; the SHA-256 is added.

    Returns:
        SHA-256 of the weights file.
    """
    save_state(folder / "weights.safetensors", state)
    digest = sha256(folder / "weights.safetensors")
    write_json(folder / "weights.json", {**about, "sha256": digest})
    return digest


def read_about(folder: Path) -> dict[str, Any]:
    """The JSON beside the weights in `folder`.

    Raises:
        UserError: there are no weights.
    """
    for name in ("weights.json", "weights.safetensors"):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is missing; `dvc repro` trains it, `dvc pull` fetches it")
    try:
        about: dict[str, Any] = read_json(folder / "weights.json")
    except ValueError as error:
        raise UserError(f"{folder / 'weights.json'} is not JSON ({error}); fetch or train the weights again") from None
    return about


def training_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """Which training made the weights whose JSON is `about`: its name, and what it and they are known by."""
    return {key: about[key] for key in ("name", "fingerprint", "sha256")}


def origin(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a file of scores says of the weights whose JSON is `about`: which training's they are, and of which step."""
    averaged = about["params"]["training"]["ema_decay"] > 0
    return {
        "training": training_of(about),
        "weights": "average at the last step" if averaged else "last step",
    }


def snapshots_of(folder: Path) -> dict[int, Path]:
    """The snapshots in the folder of a training by step, in order."""
    paths = (folder / "snapshots").glob("step-*.safetensors")
    return dict(sorted((int(path.stem.split("-")[1]), path) for path in paths))


def load_weights(folder: Path, network: nn.Module) -> dict[str, Any]:
    """Load the weights in `folder` into `network` and return the JSON beside them.

    Raises:
        UserError: no weights there, weights that are not what their JSON says, or another network's.
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
    """The trained network in `folder`, in eval mode on the GPU where there is one, and the JSON beside its weights.

    Args:
        build: from that JSON to a network of any weights.
        expected: values that the JSON has to have, such as its area.
        what: the expected weights in messages, "the weights of a GAN".
        channels_last: whether convolutions get the memory format that they prefer.

    Raises:
        UserError: no weights there, weights that are not what their JSON says, or those of another network.
    """
    about = read_about(folder)
    for key, value in expected.items():
        if about.get(key) != value:
            raise UserError(f"{folder} holds {key} {about.get(key)}, not {what} ({key} {value})")
    try:
        network = build(about)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder / 'weights.json'} describes no network of this version ({' '.join(str(error).split())}); "
            "train it again"
        ) from error
    load_weights(folder, network)
    network.to(device())
    if channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval(), about


def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def count_parameters(network: nn.Module) -> int:
    """Number of values, buffers left out: the figure that papers and `print(model)` summaries give."""
    return sum(parameter.numel() for parameter in network.parameters())
