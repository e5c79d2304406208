"""A trained noise predictor of digits, and images from it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcv.diffusion.config import DigitSampling, Guidance, Target
from dlcv.diffusion.guidance import Guided
from dlcv.diffusion.networks.build import build
from dlcv.diffusion.networks.conditioning import Fitted
from dlcv.diffusion.samplers import PerImage, Watch, ddim, ddpm, spaced
from dlcv.diffusion.schedule import Schedule, linear
from dlcv.diffusion.tasks import SIZE
from dlcv.engine.weights import load_weights, read_about
from dlcv.runtime.errors import UserError

BATCH = 100  # images


@dataclass(frozen=True)
class Model:
    """A network in eval mode, and what is needed to sample from it.

    Attributes:
        about: the JSON beside its weights.
    """

    network: Fitted
    schedule: Schedule
    target: Target
    about: dict[str, Any]


@dataclass(frozen=True)
class Drawn:
    """Images and what they cost.

    Attributes:
        images: float32 N x 3 x 28 x 28 in about [-1, 1], on the CPU.
        evaluations: of the network for each image; a conditional and an unconditional one are two.
    """

    images: Tensor
    evaluations: int


def load_model(folder: Path, model: str) -> Model:
    """The noise predictor `model` whose weights lie in `folder`, on the GPU where there is one.

    Raises:
        UserError: no weights there, or not those of this model.
    """
    about = read_about(folder)
    if about.get("area") != "diffusion":
        raise UserError(f"{folder} holds no noise predictor of digits; `dvc repro` makes them in out/diffusion/MODEL")
    if about["model"] != model:
        raise UserError(f"{folder} holds the weights of {about['model']}, not of {model}")
    schedule = linear(**about["schedule"])
    network = build(model, about["network"], schedule.timesteps)
    load_weights(folder, network)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).to(memory_format=torch.channels_last).eval()
    return Model(network, schedule, about["target"], about)


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
        seeds: one for each image, of its noise.
        seed: of the steps that leave the unconditional pass out, which are the same for all images.
        watch: sees the way of the first batch.

    Raises:
        UserError: more steps than the schedule has.
    """
    device = next(model.network.parameters()).device
    parts, evaluations = [], 0
    for start in range(0, len(digits), BATCH):
        chosen = slice(start, start + BATCH)
        labels = torch.tensor(digits[chosen], device=device)
        skip = guidance.skip_unconditional
        predict = Guided(model.network, model.schedule, model.target, labels, guidance.w, skip, seed)
        noise = PerImage(seeds[chosen])
        like = torch.empty(len(labels), 3, SIZE, SIZE, device=device).contiguous(memory_format=torch.channels_last)
        # The first noise of each image's generator is where it starts.
        parts.append(_sample(predict, noise(like), model.schedule, sampling, noise, watch).cpu())
        evaluations, watch = predict.evaluations, None
    return Drawn(torch.cat(parts), evaluations)


def _sample(
    predict: Guided, x: Tensor, schedule: Schedule, sampling: DigitSampling, noise: PerImage, watch: Watch | None
) -> Tensor:
    """Images from the noise `x` by the sampler of the settings."""
    times, clip = times_of(sampling, schedule), sampling.clip_x0
    if sampling.sampler == "ancestral":
        return ddpm(predict, x, schedule, times, sampling.variance, clip_x0=clip, draw=noise, watch=watch)
    rederive = sampling.rederive_epsilon
    return ddim(predict, x, schedule, times, sampling.eta, clip_x0=clip, rederive=rederive, draw=noise, watch=watch)


def times_of(sampling: DigitSampling, schedule: Schedule) -> list[int]:
    """The times at which the network is asked, from the noisiest on.

    Raises:
        UserError: more steps than the schedule has.
    """
    return spaced(sampling.spacing, sampling.steps or schedule.timesteps, schedule.timesteps)


def seeds_of(names: Sequence[str], seed: int) -> list[int]:
    """The seed of each image's noise, by its name: the same whatever is drawn beside it."""
    # 32 bits: torch's generator on the CPU reads no more of its seed.
    return [zlib.crc32(f"{seed}/{name}".encode()) for name in names]
