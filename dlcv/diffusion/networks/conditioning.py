"""What the conditional networks share: the absent class, images of any size, and a condition in every block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.diffusion.networks.unet import time_embedding

CLASSES = 10
NONE = -1  # the label of an image without a class; each network has its own way to say so


@dataclass(frozen=True)
class Part:
    """A part of a network, for its diagram and its table of layers.

    Attributes:
        name: as in the report that prints it.
        module: is called once in a forward pass.
        skip: index among the network's parts of the one whose output is concatenated with this one's input.
        condition: what enters here beside images: "time", "class" or both.
    """

    name: str
    module: nn.Module
    skip: int | None = None
    condition: str = ""


class Unet(nn.Module):
    """What the three architectures have in common: they say what they consist of.

    `forward(x, t, labels)` takes images N x C x H x W with H and W divisible by `multiple`, times int64 N
    from 0 to T - 1, and labels int64 N from 0 to 9 or `NONE`; gives N x C x H x W.
    """

    multiple: int

    def parts(self) -> list[Part]:
        """All that has parameters, in the order of a forward pass."""
        raise NotImplementedError


class Fitted(nn.Module):
    """A U-Net for images of any size: N x 3 x H x W, times and labels as it takes them, to N x 3 x H x W.

    Zeros (the middle of the value range, and the mean of the noise) are put around images whose sides the
    network cannot halve often enough, and what they became is cut off.

    Args:
        inner: a network of 3 x patch x patch channels.
        patch: pixels of a side that enter as channels of one.
    """

    def __init__(self, inner: Unet, patch: int):
        super().__init__()
        self.inner = inner
        self.patch = patch

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        height, width = x.shape[2:]
        whole = self.inner.multiple * self.patch
        more_y, more_x = -height % whole, -width % whole
        top, left = more_y // 2, more_x // 2
        x = F.pad(x, (left, more_x - left, top, more_y - top))
        if self.patch == 1:
            out: Tensor = self.inner(x, t, labels)
        else:
            out = F.pixel_shuffle(self.inner(F.pixel_unshuffle(x, self.patch), t, labels), self.patch)
        return out[:, :, top : top + height, left : left + width]


class Condition(nn.Module):
    """Time and class as one vector, N x `size`, for networks whose every block sees both (in no report)."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size
        self.time = nn.Sequential(nn.Linear(size, size), nn.SiLU(), nn.Linear(size, size))
        # Entry 0 is the absent class and stays zero. Entries of deviation 1, beside a time of about 0.1: what the
        # network is to learn first is loud.
        self.label = nn.Embedding(CLASSES + 1, size, padding_idx=0)

    def forward(self, t: Tensor, labels: Tensor) -> Tensor:
        both: Tensor = self.time(time_embedding(t, self.size)) + self.label(labels + 1)
        return F.silu(both)


class Modulation(nn.Module):
    """Scale and shift of each channel by a condition, right after a normalisation (adaptive group normalisation:
    Dhariwal and Nichol 2021)."""

    def __init__(self, condition: int, channels: int):
        super().__init__()
        self.linear = nn.Linear(condition, 2 * channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.linear(condition)[:, :, None, None].chunk(2, dim=1)
        out: Tensor = x * (1 + scale) + shift
        return out


def one_hot(labels: Tensor) -> Tensor:
    """float32 N x 10 of labels, int64 N; all zeros for `NONE`."""
    return (F.one_hot(labels.clamp(min=0), CLASSES) * (labels != NONE)[:, None]).float()


def describe(network: Fitted, size: int) -> list[dict[str, Any]]:
    """The parts of `network` for images of `size` pixels: what the report prints and draws.

    Returns:
        For each: `layer`; `output`, the shape without the batch; `parameters`; `skip` and `condition` as in `Part`.
    """
    parts = network.inner.parts()
    shapes: dict[int, list[int]] = {}

    def remember(index: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            shapes[index] = list(output.shape[1:])

        return hook

    handles = [part.module.register_forward_hook(remember(index)) for index, part in enumerate(parts)]
    was_training = network.training
    device = next(network.parameters()).device
    with torch.no_grad():
        example = torch.zeros(1, 3, size, size, device=device), torch.zeros(1, dtype=torch.int64, device=device)
        network.eval()(*example, example[1])
    network.train(was_training)
    for handle in handles:
        handle.remove()
    return [
        {
            "layer": part.name,
            "output": " x ".join(map(str, shapes[index])),
            "parameters": sum(parameter.numel() for parameter in part.module.parameters()),
            "skip": part.skip,
            "condition": part.condition,
        }
        for index, part in enumerate(parts)
    ]
