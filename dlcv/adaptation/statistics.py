"""BatchNorm statistics of one domain (AdaBN, Li et al. 2018)."""

from __future__ import annotations

import numpy as np
import torch

from dlcv.adaptation.networks.digits import DomainNetwork
from dlcv.data.batches import to_float
from dlcv.engine.averaging import new_statistics

IMAGES = 4000  # that give them, at most


def adapt_statistics(network: DomainNetwork, images: np.ndarray) -> None:
    """Give BatchNorm the statistics of one domain and leave `network` in eval mode.

    Args:
        images: images of it in random order, uint8 N x 28 x 28 x 3; the first 4,000 count.
    """
    device = next(network.parameters()).device
    chosen = torch.from_numpy(np.array(images[:IMAGES]))
    with new_statistics(network):
        # In equal parts: BatchNorm takes no batch of one.
        for part in chosen.chunk(max(1, len(chosen) // 200)):
            network.class_head(network.embed(to_float(part).to(device)))
