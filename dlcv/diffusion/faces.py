"""A trained noise predictor, and images from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcv.ddim.sections import SIZE
from dlcv.diffusion.config import Sampling, Target
from dlcv.diffusion.networks.unet import UNet
from dlcv.diffusion.samplers import PerImage, Predictor, Watch, ddim, noise_predictor, spaced
from dlcv.diffusion.schedule import Schedule, linear
from dlcv.engine.weights import load_weights, read_about
from dlcv.runtime.errors import UserError

BATCH = 64  # images


@dataclass(frozen=True)
class Model:
    """A network in eval mode, and what is needed to sample from it.

    Attributes:
        about: the JSON beside its weights.
    """

    network: UNet
    schedule: Schedule
    target: Target
    about: dict[str, Any]

    @property
    def predict(self) -> Predictor:
        """The noise in images."""
        return noise_predictor(self.network, self.schedule, self.target)


def load_model(folder: Path) -> Model:
    """The noise predictor whose weights lie in `folder`, on the GPU where there is one.

    Raises:
        UserError: no weights there, or not those of a noise predictor.
    """
    about = read_about(folder)
    if about.get("area") != "ddim":
        raise UserError(f"{folder} holds no noise predictor of faces; `dvc repro stages/ddim/dvc.yaml` makes one")
    network = UNet(**about["network"], size=SIZE)
    load_weights(folder, network)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).to(memory_format=torch.channels_last).eval()
    return Model(network, linear(**about["schedule"]), about["target"], about)


def generate(model: Model, noise: Tensor, seeds: Sequence[int], sampling: Sampling) -> Tensor:
    """Images, float32 N x 3 x 64 x 64 in about [-1, 1] on the CPU, of noise of the same shape.

    Args:
        seeds: N, of each image's fresh noise.

    Raises:
        UserError: more steps than the schedule has.
    """
    parts = [
        sample(model, noise[start : start + BATCH], seeds[start : start + BATCH], sampling)
        for start in range(0, len(noise), BATCH)
    ]
    return torch.cat(parts)


def sample(model: Model, noise: Tensor, seeds: Sequence[int], sampling: Sampling, watch: Watch | None = None) -> Tensor:
    """One batch of `generate`; `watch` sees the way."""
    device = next(model.network.parameters()).device
    images = ddim(
        model.predict,
        noise.to(device).contiguous(memory_format=torch.channels_last),
        model.schedule,
        spaced(sampling.spacing, sampling.steps, model.schedule.timesteps),
        sampling.eta,
        clip_x0=sampling.clip_x0,
        rederive=sampling.rederive_epsilon,
        draw=PerImage(seeds),
        watch=watch,
    )
    return images.cpu()
