"""A trained model of digits, and images from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dlcv.diffusion.config import DIGIT_SIZE, DigitNetwork, DigitSampling, Guidance
from dlcv.diffusion.guidance import Guided
from dlcv.diffusion.networks.build import build
from dlcv.diffusion.samplers import Model, PerImage, Watch, ddim, ddpm, times_of
from dlcv.diffusion.schedule import linear
from dlcv.engine.weights import load_network
from dlcv.runtime.progress import over

SHAPE = (3, DIGIT_SIZE, DIGIT_SIZE)
BATCH = 100  # images


@dataclass(frozen=True)
class Drawn:
    """Images and their cost.

    Attributes:
        images: float32 N x 3 x 28 x 28 in about [-1, 1], on the CPU.
        evaluations: of the network for each image; a conditional and an unconditional prediction are two.
    """

    images: Tensor
    evaluations: int


def load_model(folder: Path) -> Model:
    """The model whose weights are in `folder`, on the GPU where there is one.

    Raises:
        UserError: no weights there, or not those of a noise predictor of digits.
    """
    network, about = load_network(
        folder,
        lambda about: build(DigitNetwork(**about["network"]), about["schedule"]["timesteps"]),
        expected={"area": "diffusion"},
        what="the weights of a noise predictor of digits",
    )
    return Model(network, linear(**about["schedule"]), about["prediction"], about)


def draw(
    model: Model,
    digits: Sequence[int],
    seeds: Sequence[int],
    sampling: DigitSampling,
    guidance: Guidance,
    seed: int,
    watch: Watch | None = None,
) -> Drawn:
    """Images of `digits`.

    Args:
        seeds: of the noise of each image.
        seed: of the steps without an unconditional prediction, which are the same for all images.
        watch: called after each step of the first batch.

    Raises:
        UserError: more steps than the schedule has.
    """
    parts, evaluations = [], 0
    for start in over(range(0, len(digits), BATCH), "sampling", "batch"):
        part = slice(start, start + BATCH)
        labels = torch.tensor(digits[part], device=model.device)
        predict = Guided(
            model.network, model.schedule, model.prediction, labels, guidance.w, guidance.skip_unconditional, seed
        )
        noise = PerImage(seeds[part], model.device)
        # The first noise of each image's generator is where sampling starts.
        x = noise(torch.empty(len(labels), *SHAPE, device=model.device).contiguous(memory_format=torch.channels_last))
        parts.append(_sample(predict, x, model, sampling, noise, watch).cpu())
        evaluations, watch = predict.evaluations, None
    return Drawn(torch.cat(parts), evaluations)


def _sample(
    predict: Guided, x: Tensor, model: Model, sampling: DigitSampling, noise: PerImage, watch: Watch | None
) -> Tensor:
    """Images from the noise `x`, by the sampler of the settings."""
    times, clip = times_of(sampling, model.schedule), sampling.clip_x0
    if sampling.sampler == "ancestral":
        return ddpm(predict, x, model.schedule, times, sampling.variance, clip_x0=clip, draw=noise, watch=watch)
    eta, rederive = sampling.eta, sampling.rederive_epsilon
    return ddim(predict, x, model.schedule, times, eta, clip_x0=clip, rederive=rederive, draw=noise, watch=watch)
