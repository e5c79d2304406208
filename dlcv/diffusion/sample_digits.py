"""The stage `sample`: digits from a trained model, a grid of them and the way to one; `dlcv diffusion sample` too."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dlcv.data.batches import to_uint8
from dlcv.diffusion.config import Diffusion, DigitSampling, Guidance
from dlcv.diffusion.model import Model, draw, load_model, seeds_of, times_of
from dlcv.diffusion.samplers import PerImage
from dlcv.diffusion.tasks import OUT, SIZE, name_of, settings_of
from dlcv.engine.weights import training_of
from dlcv.figures import grids
from dlcv.runtime import tracking
from dlcv.runtime.config import Params
from dlcv.runtime.errors import expect_empty
from dlcv.runtime.files import replacing, write_json

COLUMNS = 10  # noises of the grid
WAY = 6  # images of the reverse process


def run(model: str, params: Params) -> Path:
    """Draw `diffusion.samples` images of a trained model, equally many of each digit, from the study's seed.

    Returns:
        The folder with `images/0_001.png` and so on; `grid.png`, digits by noises; `process.png`, the way of the
        grid's first image; `drawn.json`, how they were drawn and how often the network was evaluated.

    Raises:
        UserError: no weights.
    """
    section, guidance = params[Diffusion], settings_of(model, params).guidance
    loaded = load_model(OUT / model, model)
    names = [name_of(digit, number) for digit in range(10) for number in range(1, section.samples // 10 + 1)]
    digits = [int(name[0]) for name in names]
    began = time.perf_counter()
    drawn = draw(loaded, digits, seeds_of(names, params.seed), section.sampling, guidance, params.seed)
    seconds = time.perf_counter() - began
    with replacing(OUT / f"{model}-samples") as folder:
        write(folder / "images", names, drawn.images)
        grid(loaded, section.sampling, guidance, params.seed).save(folder / "grid.png")
        process(loaded, section.sampling, guidance, params.seed).save(folder / "process.png")
        write_json(
            folder / "drawn.json",
            {
                "sampling": section.sampling.model_dump(),
                "guidance": guidance.model_dump(),
                "steps": len(times_of(section.sampling, loaded.schedule)),
                "network_evaluations_per_image": drawn.evaluations,
                "training": training_of(loaded.about),
            },
        )
    settings = {"sampling": section.sampling.model_dump(), "guidance": guidance.model_dump()}
    with tracking.run(f"sample-{model}", area="diffusion", params=settings) as tracked:
        # Here and nowhere else: seconds are in no file of the pipeline.
        tracked.scores({"images_per_second": len(names) / seconds, "seconds": seconds})
    return OUT / f"{model}-samples"


def draw_digit(
    model: str,
    weights: Path,
    digit: int,
    count: int,
    out: Path,
    sampling: DigitSampling,
    guidance: Guidance,
    seed: int,
) -> Path:
    """Write `count` images of `digit`, "7_001.png" and so on, to the new or empty folder `out`.

    Raises:
        UserError: no weights of this model there, more steps than it was trained with, or a folder that is not empty.
    """
    expect_empty(out)
    names = [name_of(digit, number) for number in range(1, count + 1)]
    loaded = load_model(weights, model)
    drawn = draw(loaded, [digit] * count, seeds_of(names, seed), sampling, guidance, seed)
    write(out, names, drawn.images)
    return out


def write(folder: Path, names: Sequence[str], drawn: Tensor) -> None:
    """Write images in [-1, 1] as PNG into `folder`, which appears with all of them or not at all."""
    with replacing(folder) as temporary:
        temporary.mkdir(parents=True)
        for name, image in zip(names, to_uint8(drawn).numpy(), strict=True):
            Image.fromarray(image).save(temporary / f"{name}.png")


def grid(model: Model, sampling: DigitSampling, guidance: Guidance, seed: int) -> Image.Image:
    """Ten digits (rows) from ten noises (columns): those of the first ten images of the digit 0."""
    seeds = seeds_of([name_of(0, number) for number in range(1, COLUMNS + 1)], seed)
    rows = [
        to_uint8(draw(model, [digit] * COLUMNS, seeds, sampling, guidance, seed).images).numpy() for digit in range(10)
    ]
    headers = [f"noise {number}" for number in range(1, COLUMNS + 1)]
    return grids.captioned(rows, [str(digit) for digit in range(10)], headers=headers, scale=2)


def process(model: Model, sampling: DigitSampling, guidance: Guidance, seed: int) -> Image.Image:
    """Six images at evenly spaced steps of the way from noise to the first 0, the time step under each."""
    seeds = seeds_of([name_of(0, 1)], seed)
    start = PerImage(seeds)(torch.empty(1, 3, SIZE, SIZE))
    times = times_of(sampling, model.schedule)
    seen: list[tuple[int, Tensor]] = [(times[0], start)]
    draw(model, [0], seeds, sampling, guidance, seed, watch=lambda t, x, x0: seen.append((t, x.cpu())))
    chosen = [seen[round(index)] for index in np.linspace(0, len(seen) - 1, min(WAY, len(seen)))]
    row = to_uint8(torch.cat([x for _, x in chosen])).numpy()
    captions = ["image" if t < 0 else f"t = {t}" for t, _ in chosen]
    return grids.captioned([row], ["first 0"], [captions], scale=3)
