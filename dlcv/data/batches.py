"""Infinite shuffled batches from prepared arrays in memory, and the conversion between uint8 and float images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcv.runtime.errors import UserError


class Shuffled:
    """Infinite batches of one data set; each epoch has a new random order, from the object's own generator.

    Args:
        images: uint8, N x H x W x 3.
        labels: integers, N.
        batch_size: images in a batch; limited to N. The remainder of an epoch is dropped, because BatchNorm
            behaves differently for a smaller batch.
        seed: of the order.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch_size: int, seed: int):
        self.images = torch.from_numpy(np.array(images))
        self.labels = torch.from_numpy(np.array(labels, dtype=np.int64))
        self.batch_size = min(batch_size, len(self.images))
        self.generator = torch.Generator().manual_seed(seed)
        self.order = self._permutation()  # on the device of the images
        self.position = 0

    def to(self, device: torch.device) -> None:
        """Keep the images on `device` if they need at most a quarter of its free memory.

        They are then indexed and converted there, and the order of an epoch is the only thing that is copied.
        """
        if device.type != "cuda" or self.images.nbytes <= torch.cuda.mem_get_info(device)[0] / 4:
            self.images, self.labels = self.images.to(device), self.labels.to(device)
            self.order = self.order.to(device)

    def __iter__(self) -> Shuffled:
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        """Images, float32 B x 3 x H x W in [-1, 1], and labels, int64 B."""
        if self.position + self.batch_size > len(self.order):
            self.order = self._permutation()
            self.position = 0
        index = self.order[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        return to_float(self.images[index]), self.labels[index]

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state(), "order": self.order.cpu(), "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.set_state(state["generator"])
        self.order = state["order"].to(self.images.device)
        self.position = state["position"]

    def _permutation(self) -> Tensor:
        return torch.randperm(len(self.images), generator=self.generator).to(self.images.device)


class Together:
    """Several data sets in parallel: each batch is a dict with one batch of each."""

    def __init__(self, sources: Mapping[str, Shuffled]):
        self.sources = dict(sources)

    def to(self, device: torch.device) -> None:
        """Keep the images on `device`, as `Shuffled.to`."""
        for source in self.sources.values():
            source.to(device)

    def __iter__(self) -> Together:
        return self

    def __next__(self) -> dict[str, tuple[Tensor, Tensor]]:
        return {name: next(source) for name, source in self.sources.items()}

    def state_dict(self) -> dict[str, Any]:
        return {name: source.state_dict() for name, source in self.sources.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, source in self.sources.items():
            source.load_state_dict(state[name])


def mirrored(images: Tensor) -> Tensor:
    """Images, N x C x H x W, each flipped horizontally with probability 1/2."""
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    return torch.where(chosen, images.flip(3), images)


def to_float(images: np.ndarray | Tensor) -> Tensor:
    """uint8 images, N x H x W x 3 in [0, 255], as float32, N x 3 x H x W in [-1, 1].

    The result has the channels_last memory format, with which convolutions are faster.
    """
    pixels = images if isinstance(images, Tensor) else torch.from_numpy(np.array(images))
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """Float images, N x 3 x H x W, clipped to [-1, 1] and converted to uint8, N x H x W x 3 in [0, 255], on the CPU.

    Raises:
        UserError: a value is not finite. It would become a black pixel.
    """
    if not images.isfinite().all():
        raise UserError("an image has values that are not finite; a setting is out of range (guidance, scale, eta?)")
    return images.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu()
