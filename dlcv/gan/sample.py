"""The stage `sample`, and images from trained generators outside the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcv.data.batches import to_uint8
from dlcv.data.latents import normal
from dlcv.engine.weights import load_network, load_state, snapshots_of
from dlcv.figures import grids, live
from dlcv.figures.listing import made_by, write_listing
from dlcv.gan.config import OUT, Gan, name_of
from dlcv.gan.networks import ARCHITECTURES, LATENT, Generator
from dlcv.runtime.config import Params
from dlcv.runtime.errors import expect_empty
from dlcv.runtime.files import replacing
from dlcv.runtime.progress import over

BATCH = 100  # images
CAPTIONS = {
    "grid.png": "The first 32 images.",
    "strip.png": "Images of eight latents at each snapshot of the averaged generator.",
}
IN_GRID = 32  # images
IN_STRIP = 8  # latents


def run(model: str, params: Params) -> Path:
    """Draw `gan.samples` images of the training of `model` with the seed of `params`, from latents of the same seed.

    Returns:
        The folder with `images/0000.png` and so on, and two figures: `grid.png`, the first 32 images, and `strip.png`,
        eight latents at every snapshot of the training.

    Raises:
        UserError: no weights.
    """
    name = name_of(model, params.seed)
    generator, about = load_generator(OUT / name, model)
    latents = normal(params[Gan].samples, (LATENT,), params.seed)
    images = generate(generator, latents)
    snapshots = snapshots_of(OUT / name)
    rows = []
    for path in snapshots.values():
        load_state(path, generator)
        rows.append(generate(generator, latents[:IN_STRIP]))
    out = OUT / f"{name}-samples"
    with replacing(out) as folder:
        grids.save(folder / "images", images)
        grids.grid(images[:IN_GRID], columns=8, scale=2).save(folder / "grid.png")
        steps, latents_shown = [f"step {step}" for step in snapshots], [""] * len(rows[0])
        live.tiles(folder / "strip.png", grids.labelled_rows(rows, steps, scale=2), steps, latents_shown, "rows")
        write_listing(folder, CAPTIONS, made_by(f"sample@{name}", {name: about["fingerprint"]}))
    return out


def draw(model: str, weights: Path, count: int, seed: int, out: Path) -> Path:
    """Write `count` images of `model`, whose weights are in the folder `weights`, to the new or empty folder `out`.

    Raises:
        UserError: no weights of this model there, or a folder that is not empty.
    """
    expect_empty(out)
    generator, _ = load_generator(weights, model)
    grids.save(out, generate(generator, normal(count, (LATENT,), seed)))
    return out


def load_generator(folder: Path, model: str) -> tuple[Generator, dict[str, Any]]:
    """The generator of `model` in `folder`, in eval mode, and the JSON beside its weights.

    Raises:
        UserError: no weights there, or those of another model.
    """
    return load_network(
        folder,
        lambda about: Generator(ARCHITECTURES[about["architecture"]], about["width"]),
        expected={"area": "gan", "model": model},
        what=f"the generator of {model}",
    )


@torch.inference_mode()
def generate(generator: Generator, latents: Tensor) -> np.ndarray:
    """Images, uint8 N x 64 x 64 x 3, of latents, N x 100; `generator` is in eval mode."""
    device = next(generator.parameters()).device
    images = []
    for part in over(torch.split(latents, BATCH), "sampling", "batch"):
        # Always a whole batch: the last bits of a matrix product depend on its number of rows, and an image must not
        # depend on how many are drawn with it.
        whole = F.pad(part, (0, 0, 0, BATCH - len(part)))
        images.append(to_uint8(generator(whole.to(device)))[: len(part)].numpy())
    return np.concatenate(images)
