"""The networks of digits by the name of their architecture."""

from __future__ import annotations

from collections.abc import Callable

from dlcv.diffusion.config import DigitNetwork
from dlcv.diffusion.networks.attention_unet import AttentionUnet
from dlcv.diffusion.networks.context_unet import ContextUnet
from dlcv.diffusion.networks.interface import Fitted, Unet
from dlcv.diffusion.networks.residual_unet import ResidualUnet

# From the channels of its images, its settings and T to a network.
ARCHITECTURES: dict[str, Callable[[int, DigitNetwork, int], Unet]] = {
    "context-unet": lambda channels, of, timesteps: ContextUnet(channels, of.width, timesteps, of.adaptive),
    "attention-unet": lambda channels, of, timesteps: AttentionUnet(channels, of.width, of.adaptive),
    "residual-unet": lambda channels, of, timesteps: ResidualUnet(
        channels, of.width, timesteps, of.dropout, of.adaptive
    ),
}


def build(settings: DigitNetwork, timesteps: int) -> Fitted:
    """A new network for RGB images of any size.

    Args:
        timesteps: T.
    """
    unet = ARCHITECTURES[settings.architecture](3 * settings.patch**2, settings, timesteps)
    return Fitted(unet, settings.patch)
