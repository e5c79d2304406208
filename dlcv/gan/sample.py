"""Images from trained generators, and the stage `sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dlcv.data.batches import to_uint8
from dlcv.engine.weights import load_state, load_weights, read_about, snapshots_of
from dlcv.figures import grids
from dlcv.gan.config import Gan
from dlcv.gan.networks import ARCHITECTURES, Generator, latents
from dlcv.gan.tasks import OUT
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError, expect_empty
from dlcv.runtime.files import replacing

BATCH = 100  # images
SHOWN = 32  # images of the grid
STRIP = 8  # latents that the strip follows


def run(model: str, params: Params) -> Path:
    """Draw `gan.samples` images of a trained model from the latents of the study's seed.

    Returns:
        The folder with `images/0000.png` and so on, `grid.png`, the first 32 of them, and
        `strip.png`, eight latents at every snapshot of the training.

    Raises:
        UserError: no weights.
    """
    generator, _ = load_generator(OUT / model, model)
    out = OUT / f"{model}-samples"
    noise = latents(params[Gan].samples, params.seed)
    images = generate(generator, noise)
    snapshots = snapshots_of(OUT / model)
    rows = []
    for path in snapshots.values():
        load_state(path, generator)
        rows.append(generate(generator, noise[:STRIP]))
    with replacing(out) as folder:
        grids.save(folder / "images", images)
        grids.grid(images[:SHOWN], columns=8, scale=2).save(folder / "grid.png")
        strip = grids.labelled_rows(rows, [f"step {step}" for step in snapshots], scale=2)
        strip.save(folder / "strip.png")
    return out


def draw(model: str, weights: Path, count: int, seed: int, out: Path) -> Path:
    """Write `count` images of `model`, whose weights are in the folder `weights`, to the new or empty folder `out`.

    Raises:
        UserError: no weights of this model there, or a folder that is not empty.
    """
    expect_empty(out)
    generator, _ = load_generator(weights, model)
    grids.save(out, generate(generator, latents(count, seed)))
    return out


def load_generator(folder: Path, model: str) -> tuple[Generator, dict[str, Any]]:
    """The generator of `model` in `folder`, in eval mode, and the JSON beside its weights.

    Raises:
        UserError: no weights there, or not those of this model.
    """
    about = read_about(folder)
    if about.get("model") not in ARCHITECTURES:
        raise UserError(f"{folder} holds no GAN's weights; `dvc repro` makes them in out/gan/MODEL")
    if about["model"] != model:
        raise UserError(f"{folder} holds the weights of {about['model']}, not of {model}")
    generator = Generator(ARCHITECTURES[model], about["width"])
    load_weights(folder, generator)
    return generator.eval(), about


@torch.inference_mode()
def generate(generator: Generator, noise: Tensor) -> np.ndarray:
    """Images, uint8 N x 64 x 64 x 3, of latents, N x 100; `generator` is in eval mode."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator.to(device).to(memory_format=torch.channels_last)
    parts = []
    for start in range(0, len(noise), BATCH):
        part = noise[start : start + BATCH]
        # Always a whole batch: the last bits of a matrix product depend on its number of rows, and
        # an image is not to depend on how many are drawn with it.
        whole = F.pad(part, (0, 0, 0, BATCH - len(part)))
        parts.append(to_uint8(generator(whole.to(device)))[: len(part)].numpy())
    return np.concatenate(parts)
