"""`dlcv gan`: parses arguments, validates params.yaml, and calls the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv.runtime.config import load

app = typer.Typer(no_args_is_help=True, help="Train, sample and evaluate GANs on faces.")

Model = Annotated[str, typer.Argument(help="a model of params.yaml, such as dcgan")]


@app.command()
def train(model: Model) -> None:
    """Train a model."""
    params = load()
    from dlcv.gan.config import provenance_of

    provenance_of(model, params)  # report a wrong name or missing data before torch is imported
    from dlcv.gan.train import run

    print(run(model, params))


@app.command()
def sample(
    model: Model,
    out: Annotated[Path | None, typer.Option(help="new folder for PNG files; default: the stage's own folder")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="number of images; default: gan.samples")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="seed of the latents; default: that of params.yaml")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="folder of trained weights; default: out/gan/MODEL")] = None,
) -> None:
    """Draw images from trained weights."""
    params = load()
    from dlcv.gan.config import OUT, Gan, settings_of
    from dlcv.runtime.errors import UserError, expect_empty

    settings_of(model, params)
    if out is None and (count, seed, weights) != (None, None, None):
        raise UserError("--count, --seed and --weights need --out, a new folder for the images")
    if out is None:
        from dlcv.gan.sample import run

        print(run(model, params))
        return
    expect_empty(out)  # before torch is imported
    from dlcv.gan.sample import draw

    count, seed = count or params[Gan].samples, params.seed if seed is None else seed
    print(draw(model, weights or OUT / model, count, seed, out))


@app.command()
def evaluate(model: Model) -> None:
    """Score a model's images and draw its figures."""
    params = load()
    from dlcv.gan.config import settings_of

    settings_of(model, params)
    from dlcv.gan.evaluate import run

    print(run(model, params))


@app.command()
def compare(pair: Annotated[str, typer.Argument(help="a pair of gan.pairs, such as report-001")]) -> None:
    """Compare two evaluated models."""
    params = load()
    from dlcv.gan.config import pair_of

    pair_of(pair, params)
    from dlcv.gan.compare import run

    print(run(pair, params))
