"""The stage `diffusion sample`: digits from a trained model, with two figures; and `dlcv diffusion sample --digit`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dlcv.data.batches import to_uint8
from dlcv.data.digit_names import digit_of, name_of, names_of
from dlcv.data.latents import seeds_of
from dlcv.diffusion.config import DIGITS_OUT, Diffusion, DigitSampling, Guidance, digits_name, guidance_of
from dlcv.diffusion.digits import SHAPE, draw, load_model
from dlcv.diffusion.samplers import Model, PerImage, times_of
from dlcv.engine.weights import training_of
from dlcv.figures import grids, live
from dlcv.figures.listing import made_by, write_listing
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError, expect_empty
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.publish import publish_training

COLUMNS = 10  # noises of the grid
STATES = 6  # of the sampling process

CAPTIONS = {
    "grid.png": "Digits (rows) from ten noises (columns).",
    "scales.png": "One image of each digit (columns) at several guidance scales w (rows), from the same noise.",
    "process.png": "Sampling of the grid's first 0: x at six evenly spaced steps, with the time step under each.",
}


def run(model: str, params: Params) -> Path:
    """Draw `diffusion.samples` images of the training of `model` with the seed of `params`, equally many of each digit.

    The noise has the same seed.

    Returns:
        The folder with `images/0_001.png` and so on; `drawn.json`, the settings and the network evaluations; and the
        figures of `CAPTIONS`.

    Raises:
        UserError: no such model, or no weights.
    """
    section, guidance = params[Diffusion], guidance_of(model, params)
    training = digits_name(model, params.seed)
    loaded = load_model(DIGITS_OUT / training)
    names = names_of(section.samples)
    digits = [digit_of(name) for name in names]
    began = time.perf_counter()
    drawn = draw(loaded, digits, seeds_of(names, params.seed), section.sampling, guidance, params.seed)
    seconds = time.perf_counter() - began
    settings = {"sampling": section.sampling.model_dump(), "guidance": guidance.model_dump()}
    with replacing(DIGITS_OUT / f"{training}-samples") as folder:
        grids.save(folder / "images", to_uint8(drawn.images).numpy(), names)
        grid(loaded, section.sampling, guidance, params.seed).save(folder / "grid.png")
        over_scales(folder / "scales.png", loaded, section, params.seed)
        process(folder / "process.png", loaded, section.sampling, guidance, params.seed)
        write_json(
            folder / "drawn.json",
            {
                **settings,
                "steps": len(times_of(section.sampling, loaded.schedule)),
                "network_evaluations_per_image": drawn.evaluations,
                "training": training_of(loaded.about),
            },
        )
        stage = f"stages/diffusion/dvc.yaml:sample@{training}"
        write_listing(folder, CAPTIONS, made_by(stage, {training: loaded.about["fingerprint"]}))
    # Only there: no file of the pipeline holds a duration.
    speed = {"sampling.seconds": seconds, "sampling.images_per_second": len(names) / seconds}
    publish_training(loaded.about, "diffusion", speed)
    return DIGITS_OUT / f"{training}-samples"


def draw_digits(
    model: str,
    weights: Path,
    digits: Sequence[int],
    count: int,
    out: Path,
    sampling: DigitSampling,
    guidance: Guidance,
    seed: int,
) -> Path:
    """Write `count` images of each of `digits`, "7_001.png" and so on, to the new or empty folder `out`.

    Raises:
        UserError: no weights of this model there, more steps than it was trained with, or a folder that is not empty.
    """
    expect_empty(out)
    names = [name_of(digit, number) for digit in digits for number in range(1, count + 1)]
    loaded = load_model(weights)
    if loaded.about["model"] != model:
        raise UserError(f"{weights} holds the weights of {loaded.about['model']}, not of {model}")
    digits = [digit_of(name) for name in names]
    drawn = draw(loaded, digits, seeds_of(names, seed), sampling, guidance, seed)
    grids.save(out, to_uint8(drawn.images).numpy(), names)
    return out


def grid(model: Model, sampling: DigitSampling, guidance: Guidance, seed: int) -> Image.Image:
    """Ten digits (rows) from ten noises (columns), those of the first ten images of the digit 0."""
    seeds = seeds_of([name_of(0, number) for number in range(1, COLUMNS + 1)], seed)
    rows = [
        to_uint8(draw(model, [digit] * COLUMNS, seeds, sampling, guidance, seed).images).numpy() for digit in range(10)
    ]
    headers = [f"noise {number}" for number in range(1, COLUMNS + 1)]
    return grids.captioned(rows, [str(digit) for digit in range(10)], headers=headers, scale=2)


def over_scales(path: Path, model: Model, section: Diffusion, seed: int) -> None:
    """Draw one image of each digit (columns) at the guidance scales of the table (rows), from the same noise."""
    digits = list(range(10))
    seeds = seeds_of([name_of(0, 1)] * len(digits), seed)
    rows = []
    for w in section.table.w:
        guidance = Guidance(w=w, skip_unconditional=0.0)
        rows.append(to_uint8(draw(model, digits, seeds, section.sampling, guidance, seed).images).numpy())
    names, headers = [f"w = {w:g}" for w in section.table.w], [str(digit) for digit in digits]
    live.tiles(path, grids.captioned(rows, names, headers=headers, scale=2), names, headers, "rows")


def process(path: Path, model: Model, sampling: DigitSampling, guidance: Guidance, seed: int) -> None:
    """Draw the first 0 at evenly spaced steps from noise to image, with the time step under each."""
    seeds = seeds_of([name_of(0, 1)], seed)
    start = PerImage(seeds, model.device)(torch.empty(1, *SHAPE))
    seen: list[tuple[int, Tensor]] = [(times_of(sampling, model.schedule)[0], start)]
    draw(model, [0], seeds, sampling, guidance, seed, watch=lambda t, x, x0: seen.append((t, x.cpu())))
    chosen = [seen[round(index)] for index in np.linspace(0, len(seen) - 1, min(STATES, len(seen)))]
    row = to_uint8(torch.cat([x for _, x in chosen])).numpy()
    captions = ["image" if t < 0 else f"t = {t}" for t, _ in chosen]
    live.tiles(path, grids.captioned([row], ["first 0"], [captions], scale=3), ["first 0"], captions, "columns")
