"""What the conditional networks have in common: a list of parts, and a wrapper for images of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlcv.engine.weights import count_parameters


@dataclass(frozen=True)
class Part:
    """A part of a network, for its diagram and its table of layers.

    Attributes:
        name: as in the report that prints it.
        module: called once in a forward pass.
        skip: index, among the network's parts, of the part whose output is concatenated with this one's input.
        condition: what this part receives besides images: "time", "class" or "time, class".
    """

    name: str
    module: nn.Module
    skip: int | None = None
    condition: str = ""


class Unet(nn.Module):
    """The interface of the three architectures.

    `forward(x, t, labels)` takes images N x C x H x W with H and W divisible by `multiple`, times int64 N from 0 to
    T - 1, and labels int64 N from 0 to 9 or `NONE`. It returns N x C x H x W.
    """

    multiple: int

    def parts(self) -> list[Part]:
        """Every part with parameters, in the order of a forward pass."""
        raise NotImplementedError


class Fitted(nn.Module):
    """A U-Net for images of any size: N x 3 x H x W with times and labels to N x 3 x H x W.

    Images whose sides are not divisible as the U-Net needs are padded with zeros, the middle of the value range and
    the mean of the noise; the padding is cropped from the output.

    Args:
        inner: a network of 3 x patch x patch channels.
        patch: side of the pixel blocks that enter as channels.
    """

    def __init__(self, inner: Unet, patch: int):
        super().__init__()
        self.inner = inner
        self.patch = patch

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        height, width = x.shape[2:]
        multiple = self.inner.multiple * self.patch
        more_y, more_x = -height % multiple, -width % multiple
        top, left = more_y // 2, more_x // 2
        x = F.pad(x, (left, more_x - left, top, more_y - top))
        if self.patch == 1:
            out: Tensor = self.inner(x, t, labels)
        else:
            out = F.pixel_shuffle(self.inner(F.pixel_unshuffle(x, self.patch), t, labels), self.patch)
        return out[:, :, top : top + height, left : left + width]


def describe(network: Fitted, size: int) -> list[dict[str, Any]]:
    """The parts of `network` for images of `size` pixels, as the report prints and draws them.

    Returns:
        For each part: `layer`, its name; `output`, the shape without the batch; `parameters`; `skip` and `condition`
        as in `Part`.
    """
    parts = network.inner.parts()
    shapes: dict[int, str] = {}

    def remember(index: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            shapes[index] = " x ".join(map(str, output.shape[1:]))

        return hook

    handles = [part.module.register_forward_hook(remember(index)) for index, part in enumerate(parts)]
    was_training = network.training
    zero = torch.zeros(1, dtype=torch.int64)  # the time, and the label
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, size, size), zero, zero)
    network.train(was_training)
    for handle in handles:
        handle.remove()
    return [
        {
            "layer": part.name,
            "output": shapes[index],
            "parameters": count_parameters(part.module),
            "skip": part.skip,
            "condition": part.condition,
        }
        for index, part in enumerate(parts)
    ]
