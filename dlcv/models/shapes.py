"""Checks of what somebody gives to a model: images and latents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dlcv.runtime.errors import UserError

SIZE = 64  # pixels of faces


def checked_images(images: np.ndarray, size: int) -> np.ndarray:
    """`images` if they are uint8 N x `size` x `size` x 3 with at least one image.

    Raises:
        UserError: another shape or type.
    """
    array = np.asarray(images)
    if array.dtype != np.uint8 or array.shape[1:] != (size, size, 3) or not len(array):
        raise UserError(
            f"images are {array.dtype} {' x '.join(map(str, array.shape))}; give uint8 N x {size} x {size} x 3, RGB"
        )
    return array


def checked_latents(latents: np.ndarray | Tensor, shape: Sequence[int]) -> Tensor:
    """`latents` as float32 if they are N x `shape` with at least one latent.

    Raises:
        UserError: another shape.
    """
    values = torch.as_tensor(latents)
    if values.shape[1:] != tuple(shape) or not len(values):
        wanted = " x ".join(map(str, ("N", *shape)))
        raise UserError(f"latents are {' x '.join(map(str, values.shape)) or 'one number'}; give {wanted}")
    return values.float()


def checked_count(count: int) -> int:
    """`count` if it is at least 1.

    Raises:
        UserError: it is not.
    """
    if count < 1:
        raise UserError(f"{count} images are asked for; give 1 or more")
    return count
