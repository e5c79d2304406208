"""The stage `ddim sample`: faces from noise, and figures that follow single noises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dlcv.data.batches import to_uint8
from dlcv.data.latents import lerp, normal, seeds_of, slerp
from dlcv.diffusion.config import FACES_OUT, Ddim, FaceSampling, faces_name
from dlcv.diffusion.faces import SHAPE, generate, generate_batch, load_model
from dlcv.diffusion.samplers import Model, times_of
from dlcv.engine.weights import load_state, snapshots_of
from dlcv.figures import grids, live
from dlcv.figures.listing import made_by, write_listing
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing

SHOWN = 32  # images of the grid
STRIP = 8  # noises of the strip
ROWS = 4  # noises of the figure over eta, 00 to 03
STATES = 10  # of the sampling process
ALPHAS = [tenth / 10 for tenth in range(11)]

CAPTIONS = {
    "grid.png": "The first 32 images.",
    "eta.png": "Images of noise 00 to 03 (rows) at several eta (columns). The noise that DDIM adds is the same in "
    "every column.",
    "interpolation.png": "From noise 00 to noise 01, along the great circle and along the straight line, with the norm "
    "of each latent. In training the norms are near those of the two ends.",
    "process.png": "Sampling from noise 00: x after a step, and the image x0 predicted in this step.",
    "strip.png": "Images of eight noises at each snapshot of the averaged network.",
}


def run(params: Params) -> Path:
    """Draw `ddim.samples` images of the training with the seed of `params`, from noise of the same seed, and figures.

    Returns:
        The folder with `images/0000.png` and so on; `noise/00.npy` to `03.npy`, the noise of `eta.png`, which
        `dlcv ddim sample --noise` takes; `interpolation.csv`; and the figures of `CAPTIONS`.

    Raises:
        UserError: no weights.
    """
    section, seed, name = params[Ddim], params.seed, faces_name(params.seed)
    model = load_model(FACES_OUT / name)
    noise = normal(section.samples, SHAPE, seed)
    names = [f"{index:04d}" for index in range(len(noise))]
    images = to_uint8(generate(model, noise, seeds_of(names, seed), section.sampling)).numpy()
    with replacing(FACES_OUT / f"{name}-samples") as folder:
        grids.save(folder / "images", images)
        grids.grid(images[:SHOWN], columns=8, scale=2).save(folder / "grid.png")
        write_noise(folder / "noise", noise[:ROWS])
        over_eta(folder / "eta.png", model, noise[:ROWS], section, seed)
        table = interpolated(folder / "interpolation.png", model, noise[:1], noise[1:2], section.sampling)
        table.to_csv(folder / "interpolation.csv", index=False, float_format="%.6g")
        process(folder / "process.png", model, noise[:1], section.sampling, seed)
        # Last: it loads other weights into the network.
        strip(folder / "strip.png", FACES_OUT / name, model, noise[:STRIP], names[:STRIP], section.sampling, seed)
        stage = f"stages/ddim/dvc.yaml:sample@{seed}"
        write_listing(folder, CAPTIONS, made_by(stage, {name: model.about["fingerprint"]}))
    return FACES_OUT / f"{name}-samples"


def write_noise(folder: Path, noise: Tensor) -> None:
    """`00.npy` and so on, each 3 x 64 x 64."""
    folder.mkdir(parents=True)
    for index, values in enumerate(noise):
        np.save(folder / f"{index:02d}.npy", values.numpy())


def over_eta(path: Path, model: Model, noise: Tensor, section: Ddim, seed: int) -> None:
    """Draw the images of each noise (rows) at several eta (columns), with the same seed at each.

    Under an image is its mean squared difference from the image at the first eta, on 0..255.
    """
    names = [f"{index:02d}" for index in range(len(noise))]
    seeds = seeds_of(names, seed)
    columns = [
        to_uint8(generate(model, noise, seeds, section.sampling.model_copy(update={"eta": eta}))).numpy()
        for eta in section.figure_etas
    ]
    headers = [f"eta {eta:g}" for eta in section.figure_etas]
    images = np.stack(columns, axis=1)
    change = ((images.astype(np.float64) - images[:, :1]) ** 2).mean(axis=(2, 3, 4))
    notes = [[f"MSE {value:.0f}" for value in row] for row in change]
    live.tiles(path, grids.captioned(list(images), names, notes, headers, scale=2), names, headers, "columns", notes)


def interpolated(figure: Path, model: Model, a: Tensor, b: Tensor, sampling: FaceSampling) -> pd.DataFrame:
    """Draw images between two noises, 1 x 3 x 64 x 64, along the great circle and the straight line, at eta 0.

    Under each image of `figure` is the norm of its latent.

    Returns:
        A table with `path`, `alpha`, `norm` and `change`, the mean squared difference to the previous image on 0..255.
    """
    sampling = sampling.model_copy(update={"eta": 0.0})
    rows, captions, tables = [], [], []
    for path, between in {"spherical": slerp, "linear": lerp}.items():
        latents = torch.cat([between(a, b, alpha) for alpha in ALPHAS])
        images = to_uint8(generate(model, latents, [0] * len(latents), sampling)).numpy()
        norms = latents.flatten(1).norm(dim=1).tolist()
        change = (np.diff(images.astype(np.float64), axis=0) ** 2).mean(axis=(1, 2, 3))
        rows.append(images)
        captions.append([f"norm {norm:.1f}" for norm in norms])
        tables.append(pd.DataFrame({"path": path, "alpha": ALPHAS, "norm": norms, "change": [np.nan, *change]}))
    headers = [f"alpha {alpha:g}" for alpha in ALPHAS]
    paths = ["spherical", "linear"]
    sheet = grids.captioned(rows, paths, captions, headers, scale=2)
    live.tiles(figure, sheet, paths, headers, "columns", captions)
    return pd.concat(tables)


def process(path: Path, model: Model, noise: Tensor, sampling: FaceSampling, seed: int) -> None:
    """Draw sampling from one noise, 1 x 3 x 64 x 64: x after evenly spaced steps, over the x0 predicted in each."""
    steps = len(times_of(sampling, model.schedule))
    shown = sorted({round(index) for index in np.linspace(0, steps - 1, min(STATES, steps))})
    seen: list[tuple[int, Tensor, Tensor]] = []
    generate_batch(
        model,
        noise,
        seeds_of(["00"], seed),
        sampling,
        watch=lambda t, x, x0: seen.append((t, to_uint8(x), to_uint8(x0))),
    )
    times, x, x0 = zip(*(seen[index] for index in shown), strict=True)
    rows = [torch.cat(images).numpy() for images in (x, x0)]
    headers = ["end" if t < 0 else f"t = {t}" for t in times]
    names = ["x at t", "its x0"]
    live.tiles(path, grids.captioned(rows, names, headers=headers, scale=2), names, headers, "columns")


def strip(
    figure: Path, training: Path, model: Model, noise: Tensor, names: list[str], sampling: FaceSampling, seed: int
) -> None:
    """Draw the images of several noises at every snapshot in the folder `training`; the last weights stay."""
    rows, snapshots = [], snapshots_of(training)
    for path in snapshots.values():
        load_state(path, model.network)
        rows.append(to_uint8(generate(model, noise, seeds_of(names, seed), sampling)).numpy())
    steps = [f"step {step}" for step in snapshots]
    live.tiles(figure, grids.labelled_rows(rows, steps, scale=2), steps, [""] * len(noise), "rows")
