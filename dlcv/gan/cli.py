"""`dlcv gan`: parses arguments, checks all of params.yaml, and calls the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv.runtime.config import load

app = typer.Typer(no_args_is_help=True, help="Train, sample and evaluate GANs on faces.")

Model = Annotated[str, typer.Argument(help="dcgan, dcgan-noisy-labels, dcgan-k5, sngan or wgan-gp")]


@app.command()
def train(model: Model) -> None:
    """Train one model."""
    params = load()
    from dlcv.gan.tasks import provenance_of

    provenance_of(model, params)  # what is missing is said before torch is imported
    from dlcv.gan.train import run

    print(run(model, params))


@app.command()
def sample(
    model: Model,
    out: Annotated[Path | None, typer.Option(help="new folder for PNG files; without it, the stage's own")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="images; default: gan.samples")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="of the latents; default: that of params.yaml")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="folder of trained weights; default: out/gan/MODEL")] = None,
) -> None:
    """Draw images from trained weights."""
    params = load()
    from dlcv.gan.config import Gan
    from dlcv.gan.tasks import OUT, settings_of
    from dlcv.runtime.errors import UserError, expect_empty

    settings_of(model, params)
    if out is None and (count, seed, weights) != (None, None, None):
        raise UserError("--count, --seed and --weights need --out, a new folder for the images")
    if out is None:
        from dlcv.gan.sample import run

        print(run(model, params))
        return
    expect_empty(out)  # said before torch is imported
    from dlcv.gan.sample import draw

    count, seed = count or params[Gan].samples, params.seed if seed is None else seed
    print(draw(model, weights or OUT / model, count, seed, out))


@app.command()
def evaluate(model: Model) -> None:
    """Score a model's images and draw its figures."""
    params = load()
    from dlcv.gan.tasks import settings_of

    settings_of(model, params)
    from dlcv.gan.evaluate import run

    print(run(model, params))


@app.command()
def compare(pair: Annotated[str, typer.Argument(help="of gan.pairs, such as report-001")]) -> None:
    """Set two evaluated models side by side."""
    params = load()
    from dlcv.gan.tasks import pair_of

    pair_of(pair, params)
    from dlcv.gan.compare import run

    print(run(pair, params))
