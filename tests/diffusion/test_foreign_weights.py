"""Noise predictors from elsewhere compute what they computed there."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from dlcv.data.latents import normal
from dlcv.diffusion.faces import load_model
from dlcv.diffusion.foreign_weights import COURSE, DIFFUSERS, run
from dlcv.engine.weights import count_parameters
from dlcv.runtime.errors import UserError

PARAMETERS = 113_673_219  # of the course's network
# Layers on the way down and up: channels in and out, and whether a block attends; a number alone changes the size.
DOWN: list[Any] = [
    *((128, 128, 0), (128, 128, 0), 128, (128, 128, 0), (128, 128, 0), 128, (128, 256, 0), (256, 256, 0), 256),
    *((256, 256, 0), (256, 256, 0), 256, (256, 512, 1), (512, 512, 1), 512, (512, 512, 0), (512, 512, 0)),
]
UP: list[Any] = [
    *((1024, 512, 0), (1024, 512, 0), (1024, 512, 0), 512, (1024, 512, 1), (1024, 512, 1), (768, 512, 1), 512),
    *((768, 256, 0), (512, 256, 0), (512, 256, 0), 256, (512, 256, 0), (512, 256, 0), (384, 256, 0), 256),
    *((384, 128, 0), (256, 128, 0), (256, 128, 0), 128, (256, 128, 0), (256, 128, 0), (256, 128, 0)),
]


class Course(nn.Module):
    """The course's network, read from a printed state dict: one flat list of tensors, and functions of them."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors: dict[str, Tensor] = {"time.0.inv_freq": torch.exp(-math.log(1e4) * torch.arange(64) / 64)}
        self._add("time.1", 512, 128)
        self._add("time.3", 512, 512)
        self._add("down1", 128, 3, 3, 3)
        for way, first, layers in (("down", 2, DOWN), ("mid", 1, [(512, 512, 1), (512, 512, 0)]), ("up", 1, UP)):
            for number, layer in enumerate(layers, first):
                name = f"{way}{number}"
                if isinstance(layer, int):
                    self._add(f"{name}.{1 if way == 'up' else 0}", layer, layer, 3, 3)
                    continue
                inputs, outputs, attends = layer
                self._add(f"{name}.resblocks.norm1", inputs)
                self._add(f"{name}.resblocks.conv1", outputs, inputs, 3, 3)
                self._add(f"{name}.resblocks.time.1", outputs, 512)
                self._add(f"{name}.resblocks.norm2", outputs)
                self._add(f"{name}.resblocks.conv2", outputs, outputs, 3, 3)
                if inputs != outputs:
                    self._add(f"{name}.resblocks.skip", outputs, inputs, 1, 1)
                if attends:
                    self._add(f"{name}.attention.norm", outputs)
                    self._add(f"{name}.attention.qkv", 3 * outputs, outputs, 1, 1)
                    self._add(f"{name}.attention.out", outputs, outputs, 1, 1)
        self._add("out.0", 128)
        self._add("out.2", 3, 128, 3, 3)

    def _add(self, name: str, *shape: int) -> None:
        fan = math.prod(shape[1:]) or 1
        self.tensors[f"{name}.weight"] = torch.randn(shape) / math.sqrt(fan)
        self.tensors[f"{name}.bias"] = 0.1 * torch.randn(shape[0])

    def _at(self, name: str) -> tuple[Tensor, Tensor]:
        return self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.group_norm(x, 32, *self._at(name))

    def _block(self, x: Tensor, time: Tensor, name: str) -> Tensor:
        inner = f"{name}.resblocks"
        hidden = F.conv2d(F.silu(self._norm(x, f"{inner}.norm1")), *self._at(f"{inner}.conv1"), padding=1)
        hidden = hidden + F.linear(F.silu(time), *self._at(f"{inner}.time.1"))[:, :, None, None]
        hidden = F.conv2d(F.silu(self._norm(hidden, f"{inner}.norm2")), *self._at(f"{inner}.conv2"), padding=1)
        skip = F.conv2d(x, *self._at(f"{inner}.skip")) if f"{inner}.skip.weight" in self.tensors else x
        x = skip + hidden
        if f"{name}.attention.out.weight" not in self.tensors:
            return x
        count, channels, height, width = x.shape
        three = F.conv2d(self._norm(x, f"{name}.attention.norm"), *self._at(f"{name}.attention.qkv"))
        query, key, value = three.reshape(count, 3, channels, height * width).unbind(1)
        weights = torch.softmax(query.transpose(1, 2) @ key / math.sqrt(channels), dim=-1)
        mixed = (value @ weights.transpose(1, 2)).reshape(count, channels, height, width)
        return x + F.conv2d(mixed, *self._at(f"{name}.attention.out"))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        angles = t[:, None].float() * self.tensors["time.0.inv_freq"]
        time = F.linear(torch.cat([angles.sin(), angles.cos()], 1), *self._at("time.1"))
        time = F.linear(F.silu(time), *self._at("time.3"))
        x = F.conv2d(x, *self._at("down1"), padding=1)
        kept = [x]
        for number, layer in enumerate(DOWN, 2):
            name = f"down{number}"
            if isinstance(layer, int):
                x = F.conv2d(x, *self._at(f"{name}.0"), stride=2, padding=1)
            else:
                x = self._block(x, time, name)
            kept.append(x)
        x = self._block(self._block(x, time, "mid1"), time, "mid2")
        for number, layer in enumerate(UP, 1):
            name = f"up{number}"
            if isinstance(layer, int):
                x = F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), *self._at(f"{name}.1"), padding=1)
            else:
                x = self._block(torch.cat([x, kept.pop()], 1), time, name)
        return F.conv2d(F.silu(self._norm(x, "out.0")), *self._at("out.2"), padding=1)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, Path]:
    """The course's network with random weights, and its file."""
    torch.manual_seed(0)
    network, path = Course(), tmp_path_factory.mktemp("course") / "UNet.pt"
    torch.save(network.tensors, path)
    return network, path


@pytest.mark.slow
def test_the_courses_network_computes_the_same(course: tuple[Course, Path], tmp_path: Path) -> None:
    network, path = course
    model = load_model(run(path, tmp_path / "imported"))
    assert count_parameters(model.network) == PARAMETERS and model.about["network"]["size"] == 256
    x, t = torch.randn(2, 3, 64, 64), torch.tensor([1, 981])
    with torch.inference_mode():
        ours, theirs = model.network(x, t), network(x, t)
    assert theirs.std() > 0.1
    assert torch.allclose(ours, theirs, rtol=0, atol=2e-6 * float(theirs.abs().max()))
    with pytest.raises(UserError, match="imported exists; name a new folder"):
        run(path, tmp_path / "imported")


@pytest.mark.slow
@pytest.mark.usefixtures("study")
def test_noise_of_another_size_becomes_images_of_that_size(
    study: Path, dlcv: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a sixteenth of the size: the whole network takes minutes for an image."""
    folder = diffusers_folder(study / "unet")
    assert dlcv("ddim import unet ours") == (0, "")
    noise = study / "noise"
    noise.mkdir()
    np.save(noise / "00.npy", normal(1, (3, 32, 32), 0).numpy())
    assert dlcv("ddim sample --noise noise --out images --weights ours --steps 2") == (0, "")
    from PIL import Image

    assert Image.open(study / "images/00.png").size == (32, 32)
    np.save(noise / "01.npy", normal(1, (3, 64, 64), 0).numpy())
    code, said = dlcv("ddim sample --noise noise --out more --weights ours --steps 2")
    assert code == 1 and "01.npy holds 1 x 3 x 64 x 64; the network takes 3 x 32 x 32" in said
    assert folder.is_dir()


CONFIG: dict[str, Any] = {
    "sample_size": 32,
    "in_channels": 3,
    "out_channels": 3,
    "layers_per_block": 1,
    "block_out_channels": [128, 128, 256],
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    "attention_head_dim": None,
    "norm_eps": 1e-6,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
}


def diffusers_folder(path: Path, **changes: Any) -> Path:
    """A folder as `UNet2DModel.save_pretrained` writes it."""
    from diffusers import UNet2DModel

    torch.manual_seed(0)
    UNet2DModel(**{**CONFIG, **changes}).save_pretrained(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"downsample_padding": 1, "freq_shift": 0, "norm_eps": 1e-5}])
def test_a_folder_of_diffusers_computes_the_same(tmp_path: Path, changes: dict[str, Any]) -> None:
    from diffusers import UNet2DModel

    folder = diffusers_folder(tmp_path / "unet", **changes)
    theirs = UNet2DModel.from_pretrained(folder).eval()
    model = load_model(run(folder, tmp_path / "ours"))
    x, t = torch.randn(2, 3, 32, 32), torch.tensor([0, 700])
    with torch.inference_mode():
        expected = theirs(x, t).sample
        assert torch.allclose(model.network(x, t), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    # The names of older versions of diffusers.
    from safetensors.torch import load_file

    state = load_file(folder / DIFFUSERS)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for new, name in old.items():
        state = {key.replace(f".{new}.", f".{name}."): value for key, value in state.items()}
    save_file(state, folder / DIFFUSERS)
    again = load_model(run(folder, tmp_path / "again"))
    for key, value in model.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[key]), key


@pytest.mark.slow
def test_what_is_no_such_network_is_one_line(course: tuple[Course, Path], tmp_path: Path) -> None:
    network, path = course
    whole = path.read_bytes()

    def refused(source: Path, message: str) -> None:
        with pytest.raises(UserError, match=message) as error:
            run(source, tmp_path / "out")
        assert "\n" not in str(error.value) and not (tmp_path / "out").exists()

    refused(tmp_path / "none.pt", "there is no .*none.pt; give the course's UNet.pt")
    file = tmp_path / "UNet.pt"
    file.write_bytes(whole[: len(whole) // 2])
    refused(file, "UNet.pt cannot be read as a state dict")
    torch.save([1, 2], file)
    refused(file, "is not a state dict of tensors")
    torch.save({"x": torch.zeros(1)}, file)
    refused(file, "lacks time.1.weight; it is not the network")
    torch.save(network, file)  # a pickled object, which could run code
    refused(file, "cannot be read as a state dict")
    small = {name: value for name, value in network.tensors.items() if value.numel() < 10_000}
    large = {name: value for name, value in network.tensors.items() if name not in small}
    torch.save({**large, **small, "more": torch.zeros(1)}, file)
    refused(file, "has more, which the network does not")
    torch.save({**large, **small, "down1.bias": torch.zeros(7)}, file)
    refused(file, "down1 has 7, but should have 128 values")
    torch.save({**large, **small, "down1.bias": torch.full((128,), float("nan"))}, file)
    refused(file, "down1 has values that are not finite")
    folder = diffusers_folder(tmp_path / "unet")
    config = json.loads((folder / "config.json").read_text())
    for change, message in (
        ({"act_fn": "relu"}, "act_fn is relu; only silu can be imported"),
        ({"attention_head_dim": 8}, "only one head"),
        ({"down_block_types": ["DownBlock2D", "SkipDownBlock2D", "DownBlock2D"]}, "cannot be imported"),
        ({"block_out_channels": None}, "is no configuration of UNet2DModel"),
    ):
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        refused(folder, message)
    (folder / "config.json").unlink()
    refused(folder, "has no config.json; give a folder of diffusers")


def test_the_courses_network_is_printed_once() -> None:
    assert len(DOWN) + 1 == 18 and len(UP) == 23 and COURSE["size"] == 256
