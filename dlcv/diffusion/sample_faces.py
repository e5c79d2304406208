"""The stage `sample`: images from noise, and the figures that follow single noises; `dlcv ddim sample` outside it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from dlcv.data.batches import to_uint8
from dlcv.data.latents import lerp, slerp
from dlcv.ddim import noise as noises
from dlcv.ddim.model import Model, generate, load_model, sample
from dlcv.ddim.sections import Ddim
from dlcv.ddim.tasks import NAME, OUT
from dlcv.diffusion.config import Sampling
from dlcv.diffusion.samplers import spaced
from dlcv.engine.weights import load_state, snapshots_of
from dlcv.figures import grids
from dlcv.runtime.config import Params
from dlcv.runtime.errors import expect_empty
from dlcv.runtime.files import replacing

Scale = Literal["clip", "minmax"]

SHOWN = 32  # images of the grid
STRIP = 8  # noises that the strip follows
ROWS = 4  # noises of the figure over eta, 00 to 03
WAY = 10  # images of the reverse process
ALPHAS = [part / 10 for part in range(11)]


def run(params: Params) -> Path:
    """Draw `ddim.samples` images from the noises of the study's seed, and the figures.

    Returns:
        The folder with `images/0000.png` and so on; `grid.png`, the first 32 of them; `strip.png`, eight noises at
        every snapshot of the training; `noise/00.npy` to `03.npy`, with which `dlcv ddim sample --noise` draws the
        images of `eta.png`; `interpolation.png` and `.csv`, from noise 00 to 01; and `process.png`, the way of 00.

    Raises:
        UserError: no weights.
    """
    section, seed = params[Ddim], params.seed
    model = load_model(OUT / NAME)
    noise = noises.draw(section.samples, seed)
    names = [f"{index:04d}" for index in range(len(noise))]
    images = to_uint8(generate(model, noise, noises.seeds_of(names, seed), section.sampling)).numpy()
    with replacing(OUT / f"{NAME}-samples") as folder:
        grids.save(folder / "images", images)
        grids.grid(images[:SHOWN], columns=8, scale=2).save(folder / "grid.png")
        write_noises(folder / "noise", noise[:ROWS])
        over_eta(model, noise[:ROWS], section, seed).save(folder / "eta.png")
        figure, table = interpolated(model, noise[:1], noise[1:2], section.sampling)
        figure.save(folder / "interpolation.png")
        table.to_csv(folder / "interpolation.csv", index=False, float_format="%.6g")
        process(model, noise[:1], section.sampling, seed).save(folder / "process.png")
        # Last: it loads other weights into the network.
        strip(model, noise[:STRIP], names[:STRIP], section.sampling, seed).save(folder / "strip.png")
    return OUT / f"{NAME}-samples"


def draw(noise: Path, out: Path, weights: Path, sampling: Sampling, scale: Scale, seed: int) -> Path:
    """Write a PNG of the same name for each noise file in the folder `noise` to the new or empty folder `out`.

    Args:
        weights: folder of a trained noise predictor.
        scale: "clip" cuts off what is outside [-1, 1]; "minmax" stretches each image to its own extremes.
        seed: of the fresh noise, where eta is above 0.

    Raises:
        UserError: noise that cannot be read, no weights, or a folder that is not empty.
    """
    expect_empty(out)
    files = noises.list_files(noise)
    loaded = noises.read(files)
    model = load_model(weights)
    drawn = generate(model, loaded, noises.seeds_of([file.stem for file in files], seed), sampling)
    images = to_uint8(stretched(drawn) if scale == "minmax" else drawn).numpy()
    with replacing(out) as folder:
        folder.mkdir(parents=True)
        for file, image in zip(files, images, strict=True):
            Image.fromarray(image).save(folder / f"{file.stem}.png")
    return out


def stretched(images: Tensor) -> Tensor:
    """Each image, N x 3 x H x W, stretched to reach from -1 to 1; one of a single value becomes -1."""
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    return 2 * (images - low) / (high - low).clamp(min=1e-6) - 1


def write_noises(folder: Path, noise: Tensor) -> None:
    """`00.npy` and so on, each 3 x 64 x 64."""
    folder.mkdir(parents=True)
    for index, values in enumerate(noise):
        np.save(folder / f"{index:02d}.npy", values.numpy())


def over_eta(model: Model, noise: Tensor, section: Ddim, seed: int) -> Image.Image:
    """The images of noises (rows) at several eta (columns), with the same fresh noise at each."""
    names = [f"{index:02d}" for index in range(len(noise))]
    seeds = noises.seeds_of(names, seed)
    columns = [
        to_uint8(generate(model, noise, seeds, section.sampling.model_copy(update={"eta": eta}))).numpy()
        for eta in section.figure_etas
    ]
    headers = [f"eta {eta:g}" for eta in section.figure_etas]
    return grids.captioned(list(np.stack(columns, axis=1)), names, headers=headers, scale=2)


def interpolated(model: Model, a: Tensor, b: Tensor, sampling: Sampling) -> tuple[Image.Image, pd.DataFrame]:
    """Images between two noises, 1 x 3 x 64 x 64, along the great circle and along the straight line, at eta 0.

    Returns:
        The figure with the norm of each latent under its image, and a table with `path`, `alpha`, `norm` and
        `change`, the mean squared difference to the image before on 0..255.
    """
    sampling = sampling.model_copy(update={"eta": 0.0})
    rows, captions, parts = [], [], []
    for path, between in {"spherical": slerp, "linear": lerp}.items():
        latents = torch.cat([between(a, b, alpha) for alpha in ALPHAS])
        images = to_uint8(generate(model, latents, [0] * len(latents), sampling)).numpy()
        norms = latents.flatten(1).norm(dim=1).tolist()
        change = (np.diff(images.astype(np.float64), axis=0) ** 2).mean(axis=(1, 2, 3))
        rows.append(images)
        captions.append([f"norm {norm:.1f}" for norm in norms])
        parts.append(pd.DataFrame({"path": path, "alpha": ALPHAS, "norm": norms, "change": [np.nan, *change]}))
    headers = [f"alpha {alpha:g}" for alpha in ALPHAS]
    figure = grids.captioned(rows, ["spherical", "linear"], captions, headers, scale=2)
    return figure, pd.concat(parts)


def process(model: Model, noise: Tensor, sampling: Sampling, seed: int) -> Image.Image:
    """The way from one noise, 1 x 3 x 64 x 64, to its image: x at evenly spaced steps over the x0 predicted there."""
    steps = len(spaced(sampling.spacing, sampling.steps, model.schedule.timesteps))
    shown = sorted({round(index) for index in np.linspace(0, steps - 1, min(WAY, steps))})
    seen: list[tuple[int, Tensor, Tensor]] = []
    sample(
        model,
        noise,
        noises.seeds_of(["00"], seed),
        sampling,
        watch=lambda t, x, x0: seen.append((t, to_uint8(x), to_uint8(x0))),
    )
    chosen = [seen[index] for index in shown]
    rows = [torch.cat([step[part] for step in chosen]).numpy() for part in (1, 2)]
    times = ["end" if t < 0 else f"t = {t}" for t, _, _ in chosen]
    return grids.captioned(rows, ["x at t", "its x0"], headers=times, scale=2)


def strip(model: Model, noise: Tensor, names: list[str], sampling: Sampling, seed: int) -> Image.Image:
    """The images of noises at every snapshot of the training; the network is left with the last one's weights."""
    rows, snapshots = [], snapshots_of(OUT / NAME)
    for path in snapshots.values():
        load_state(path, model.network)
        rows.append(to_uint8(generate(model, noise, noises.seeds_of(names, seed), sampling)).numpy())
    return grids.labelled_rows(rows, [f"step {step}" for step in snapshots], scale=2)
