"""The noise predictors of digits by name."""

from __future__ import annotations

from typing import Any

from dlcv.diffusion.networks.attention_unet import AttentionUnet
from dlcv.diffusion.networks.conditioning import Fitted, Unet
from dlcv.diffusion.networks.context_unet import ContextUnet
from dlcv.diffusion.networks.residual_unet import ResidualUnet
from dlcv.runtime.errors import UserError


def build(model: str, network: dict[str, Any], timesteps: int) -> Fitted:
    """The network of `model`, a key of `dlcv.diffusion.config.MODELS`.

    Args:
        network: a `sections.Network` as a dict.
        timesteps: T.

    Raises:
        UserError: no such model.
    """
    patch, width, adaptive = network["patch"], network["width"], network["conditioning"] == "adaptive"
    channels = 3 * patch**2
    unet: Unet
    if model in ("context-unet", "context-unet-t1000"):
        unet = ContextUnet(channels, width, timesteps, adaptive)
    elif model == "attention-unet":
        unet = AttentionUnet(channels, width, adaptive)
    elif model == "residual-unet":
        unet = ResidualUnet(channels, width, timesteps, network["dropout"], adaptive)
    else:
        raise UserError(f"no noise predictor {model}")
    return Fitted(unet, patch)
