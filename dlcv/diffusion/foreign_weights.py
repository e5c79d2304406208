"""`dlcv ddim import`: noise predictors from elsewhere, with their weights under our names.

Two formats are known:

- the course's `UNet.pt`, a state dict of a network of 256 pixels with 113,673,219 parameters;
- a folder of diffusers' `UNet2DModel` (`config.json` and `diffusion_pytorch_model.safetensors`), such as those of the
  DDPM models of Ho et al.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dlcv.diffusion.unet import ResidualBlock, UNet
from dlcv.engine.weights import count_parameters, save_weights
from dlcv.runtime import files
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, replacing

# The course's network, in the arguments of `UNet`.
COURSE: dict[str, Any] = {
    "width": 1.0,
    "multipliers": [1, 1, 2, 2, 4, 4],
    "blocks": 2,
    "attention": [16],
    "dropout": 0.0,
    "patch": 1,
    "size": 256,
    "epsilon": 1e-5,
    "last_frequency": False,
    "centred": True,
}
BETAS = {"timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02}  # of both, by Ho et al.
DIFFUSERS = "diffusion_pytorch_model.safetensors"
# The values that `UNet` has built in.
FIXED: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "act_fn": "silu",
    "norm_num_groups": 32,
    "flip_sin_to_cos": False,
    "time_embedding_type": "positional",
    "resnet_time_scale_shift": "default",
    "mid_block_scale_factor": 1,
    "center_input_sample": False,
    "class_embed_type": None,
    "num_class_embeds": None,
    "add_attention": True,
}


@dataclass(frozen=True)
class Foreign:
    """A noise predictor of another program.

    Attributes:
        network: the arguments of `UNet`.
        state: its weights, under the names of the other program.
        names: of each module of ours the name of the other program's; several names are its query, key and value.
    """

    network: dict[str, Any]
    state: Mapping[str, Tensor]
    names: Callable[[UNet], Mapping[str, str | tuple[str, ...]]]


def run(path: Path, out: Path) -> Path:
    """Write the noise predictor at `path` into the new folder `out`, which `dlcv ddim sample --weights` takes.

    Args:
        path: the course's `UNet.pt`, or a folder of diffusers' `UNet2DModel`.

    Raises:
        UserError: `path` is neither, is damaged or is another network, or `out` exists.
    """
    if out.exists():
        raise UserError(f"{out} exists; name a new folder for the weights")
    foreign = read_folder(path) if path.is_dir() else read_course(path)
    network = UNet(**foreign.network)
    translate(foreign, network, path)
    source = files.sha256(path if path.is_file() else path / DIFFUSERS)
    about = {
        "area": "ddim",
        "name": f"imported/{path.stem}",
        "parameters": count_parameters(network),
        "stage": f"dlcv ddim import {path.name}",
        "network": foreign.network,
        "schedule": BETAS,
        "prediction": "noise",
        "fingerprint": source,
        "params": {},
        "data": {},
    }
    with replacing(out) as folder:
        folder.mkdir(parents=True)
        save_weights(folder, network.state_dict(), about)
    return out


def read_course(path: Path, network: Mapping[str, Any] = COURSE) -> Foreign:
    """The course's network. Only tensors are unpickled: other objects could run code."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"there is no {path}; give the course's UNet.pt or a folder of diffusers") from None
    except (pickle.UnpicklingError, RuntimeError, ValueError, TypeError, EOFError, KeyError, OSError) as error:
        raise UserError(f"{path} cannot be read as a state dict ({_line(error)}); download it again") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} is not a state dict of tensors; give the course's UNet.pt")
    state = {name: value for name, value in state.items() if name != "time.0.inv_freq"}  # computed by ours
    return Foreign(dict(network), state, course_names)


def course_names(network: UNet) -> dict[str, str | tuple[str, ...]]:
    """The course numbers its layers on the way down from 1, the first convolution included, and on the way up."""
    names: dict[str, str | tuple[str, ...]] = {
        "time.0": "time.1",
        "time.2": "time.3",
        "inward.1": "down1",
        "outward.0": "out.0",
        "outward.2": "out.2",
    }
    for ours, theirs in (("down", "down"), ("middle", "mid"), ("up", "up")):
        first = 2 if ours == "down" else 1
        for number, layer in enumerate(getattr(network, ours), first):
            place, name = f"{ours}.{number - first}", f"{theirs}{number}"
            if not isinstance(layer, ResidualBlock):
                names[f"{place}.1" if ours == "up" else place] = f"{name}.1" if ours == "up" else f"{name}.0"
                continue
            parts = {"first.0": "norm1", "first.2": "conv1", "time": "time.1", "second.0": "norm2", "second.3": "conv2"}
            names |= {f"{place}.{part}": f"{name}.resblocks.{other}" for part, other in parts.items()}
            names[f"{place}.shortcut"] = f"{name}.resblocks.skip"
            attention = {"norm": "norm", "query_key_value": "qkv", "out": "out"}
            names |= {f"{place}.attention.{part}": f"{name}.attention.{other}" for part, other in attention.items()}
    return names


def read_folder(path: Path) -> Foreign:
    """A `UNet2DModel` of diffusers."""
    try:
        config = read_json(path / "config.json")
        state = load_file(path / DIFFUSERS)
    except FileNotFoundError as error:
        raise UserError(f"{path} has no {Path(error.filename or DIFFUSERS).name}; give a folder of diffusers") from None
    except (ValueError, SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read ({_line(error)}); download it again") from None
    # Names of older versions.
    old = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
    renamed = {
        re.sub(r"\.(query|key|value|proj_attn)\.(\w+)$", lambda match: f".{old[match[1]]}.{match[2]}", name): value
        for name, value in state.items()
    }
    return Foreign(diffusers_network(config, path), renamed, diffusers_names)


def diffusers_network(config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The arguments of `UNet` for a configuration of `UNet2DModel`.

    Raises:
        UserError: `UNet` cannot be such a network.
    """
    try:
        for key, value in FIXED.items():
            if config.get(key, value) != value:
                raise UserError(f"{path}: {key} is {config[key]}; only {value} can be imported")
        channels, size = config["block_out_channels"], config["sample_size"]
        levels = [name.startswith("Attn") for name in config["down_block_types"]]
        kinds = {*config["down_block_types"], *config["up_block_types"]}
        known = {"DownBlock2D", "AttnDownBlock2D", "UpBlock2D", "AttnUpBlock2D"}
        if not kinds <= known or [name.startswith("Attn") for name in config["up_block_types"]] != levels[::-1]:
            raise UserError(f"{path}: its blocks ({', '.join(sorted(kinds))}) cannot be imported")
        heads = config.get("attention_head_dim", 8)
        # The middle attends as well.
        attending = [*(count for count, attends in zip(channels, levels, strict=True) if attends), channels[-1]]
        if heads is not None and any(heads != count for count in attending):
            raise UserError(f"{path}: attention_head_dim is {heads}; only one head (null) can be imported")
        return {
            "width": channels[0] / 128,
            "multipliers": [count // channels[0] for count in channels],
            "blocks": config["layers_per_block"],
            "attention": [size // 2**level for level, attends in enumerate(levels) if attends],
            "dropout": config.get("dropout", 0.0),
            "patch": 1,
            "size": size,
            "epsilon": config.get("norm_eps", 1e-5),
            "last_frequency": config.get("freq_shift", 0) == 1,
            "centred": config.get("downsample_padding", 1) == 1,
        }
    except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise UserError(f"{path / 'config.json'} is no configuration of UNet2DModel ({_line(error)})") from None


def diffusers_names(network: UNet) -> dict[str, str | tuple[str, ...]]:
    """diffusers counts levels, and within a level residual blocks and attention."""
    names: dict[str, str | tuple[str, ...]] = {
        "time.0": "time_embedding.linear_1",
        "time.2": "time_embedding.linear_2",
        "inward.1": "conv_in",
        "outward.0": "conv_norm_out",
        "outward.2": "conv_out",
    }
    for way in ("down", "up"):
        level = block = 0
        for number, layer in enumerate(getattr(network, way)):
            place, name = f"{way}.{number}", f"{way}_blocks.{level}"
            if isinstance(layer, ResidualBlock):
                names |= _diffusers_block(place, f"{name}.resnets.{block}", f"{name}.attentions.{block}")
                block += 1
            else:
                inner = place if isinstance(layer, nn.Conv2d) else f"{place}.1"
                names[inner] = f"{name}.{way}samplers.0.conv"
                level, block = level + 1, 0
    names |= _diffusers_block("middle.0", "mid_block.resnets.0", "mid_block.attentions.0")
    return names | _diffusers_block("middle.1", "mid_block.resnets.1", "")


def _diffusers_block(place: str, block: str, attention: str) -> dict[str, str | tuple[str, ...]]:
    parts = {
        "first.0": "norm1",
        "first.2": "conv1",
        "time": "time_emb_proj",
        "second.0": "norm2",
        "second.3": "conv2",
        "shortcut": "conv_shortcut",
    }
    names: dict[str, str | tuple[str, ...]] = {f"{place}.{part}": f"{block}.{other}" for part, other in parts.items()}
    names[f"{place}.attention.norm"] = f"{attention}.group_norm"
    names[f"{place}.attention.query_key_value"] = tuple(f"{attention}.{name}" for name in ("to_q", "to_k", "to_v"))
    names[f"{place}.attention.out"] = f"{attention}.to_out.0"
    return names


def translate(foreign: Foreign, network: UNet, path: Path) -> None:
    """Load the weights of `foreign` into `network`.

    Raises:
        UserError: weights are missing, left over, of another shape or not finite.
    """
    names, left, state = foreign.names(network), dict(foreign.state), {}
    for key, value in network.state_dict().items():
        module, kind = key.rsplit(".", 1)
        theirs = names[module]
        parts = []
        for name in (theirs,) if isinstance(theirs, str) else theirs:
            if f"{name}.{kind}" not in left:
                raise UserError(f"{path} lacks {name}.{kind}; it is not the network that it should be")
            parts.append(left.pop(f"{name}.{kind}"))
        weights = torch.cat(parts).float()
        if weights.numel() != value.numel():
            shapes = " and ".join(" x ".join(map(str, one.shape)) for one in (weights, value))
            raise UserError(f"{path}: {theirs} has {shapes.replace(' and ', ', but should have ')} values")
        if not weights.isfinite().all():
            raise UserError(f"{path}: {theirs} has values that are not finite; download it again")
        state[key] = weights.reshape(value.shape)  # a linear layer of theirs is a 1 x 1 convolution of ours
    if left:
        raise UserError(f"{path} has {next(iter(left))}, which the network does not; it is another network")
    network.load_state_dict(state)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]
