"""Random changes of training pictures, the same for source and target."""

from __future__ import annotations

import torch
from torch import Tensor


def invert(pictures: Tensor, share: float) -> Tensor:
    """Invert the brightness of a random `share` of pictures in [-1, 1], N x 3 x H x W.

    Digits are bright on dark in one domain and either way in another; a network that has seen both
    reads the stroke and not its sign.
    """
    if share == 0:
        return pictures
    chosen = torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < share
    return torch.where(chosen, -pictures, pictures)
