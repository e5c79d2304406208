"""The trained model of faces, and images from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dlcv.diffusion.config import FACE_SIZE, FaceSampling
from dlcv.diffusion.samplers import Model, PerImage, Predictor, Watch, ddim, ddpm, noise_predictor, times_of
from dlcv.diffusion.schedule import linear
from dlcv.diffusion.unet import UNet
from dlcv.engine.weights import load_network
from dlcv.runtime.progress import bar, over

SHAPE = (3, FACE_SIZE, FACE_SIZE)
BATCH = 64  # images


def load_model(folder: Path) -> Model:
    """The model whose weights are in `folder`, on the GPU where there is one.

    Raises:
        UserError: no weights there, or not those of a noise predictor of faces.
    """
    network, about = load_network(
        folder,
        lambda about: UNet(**{"size": FACE_SIZE, **about["network"]}),
        expected={"area": "ddim"},
        what="the weights of a noise predictor of faces",
    )
    return Model(network, linear(**about["schedule"]), about["prediction"], about)


def shape_of(model: Model) -> tuple[int, int, int]:
    """The shape of the images that the network was trained on."""
    size = model.about["network"].get("size", FACE_SIZE)
    return 3, size, size


def generate(model: Model, noise: Tensor, seeds: Sequence[int], sampling: FaceSampling) -> Tensor:
    """Images, float32 N x 3 x H x W in about [-1, 1] on the CPU, from noise of the same shape.

    Args:
        seeds: N, of the noise that DDIM adds to each image.

    Raises:
        UserError: more steps than the schedule has.
    """
    parts = list(batches(len(noise)))
    with bar("sampling", len(parts) * len(times_of(sampling, model.schedule)), "step") as done:

        def step(t: int, x: Tensor, x0: Tensor) -> None:
            done.update()

        each = [generate_batch(model, noise[part], seeds[part], sampling, step) for part in parts]
    return torch.cat(each)


def generate_batch(
    model: Model, noise: Tensor, seeds: Sequence[int], sampling: FaceSampling, watch: Watch | None = None
) -> Tensor:
    """As `generate`, in one batch; `watch` is called after each step."""
    images = ddim(
        predictor(model),
        noise.to(model.device).contiguous(memory_format=torch.channels_last),
        model.schedule,
        times_of(sampling, model.schedule),
        sampling.eta,
        clip_x0=sampling.clip_x0,
        rederive=sampling.rederive_epsilon,
        draw=PerImage(seeds, model.device),
        watch=watch,
    )
    return images.cpu()


def generate_by_ddpm(model: Model, noise: Tensor, seeds: Sequence[int], times: Sequence[int], clip_x0: bool) -> Tensor:
    """As `generate`, by ancestral sampling with the variance beta at `times`."""
    parts = []
    for part in over(list(batches(len(noise))), "sampling by DDPM", "batch"):
        x = noise[part].to(model.device)
        draw = PerImage(seeds[part], model.device)
        images = ddpm(predictor(model), x, model.schedule, times, "beta", clip_x0=clip_x0, draw=draw)
        parts.append(images.cpu())
    return torch.cat(parts)


def predictor(model: Model) -> Predictor:
    """Predicts the noise in faces."""
    return noise_predictor(model.network, model.schedule, model.prediction, model.device)


def batches(count: int) -> Iterator[slice]:
    """The indices of `count` images, `BATCH` at a time."""
    for start in range(0, count, BATCH):
        yield slice(start, start + BATCH)
