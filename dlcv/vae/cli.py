"""`dlcv vae`: parses arguments, validates params.yaml, and calls the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv.runtime.config import load

app = typer.Typer(no_args_is_help=True, help="Train, sample and evaluate a VAE on faces.")


@app.command()
def train() -> None:
    """Train the network."""
    params = load()
    from dlcv.vae.config import provenance_of

    provenance_of(params)  # report missing data before torch is imported
    from dlcv.vae.train import run

    print(run(params))


@app.command()
def evaluate() -> None:
    """Score reconstructions, latents and samples, and draw the figures."""
    params = load()
    from dlcv.vae.evaluate import run

    print(run(params))


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="new folder for PNG files")],
    count: Annotated[int | None, typer.Option(min=1, help="number of images; default: vae.samples")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="seed of the latents; default: that of params.yaml")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="folder of trained weights; default: out/vae/vae")] = None,
) -> None:
    """Draw images from trained weights."""
    params = load()
    from dlcv.runtime.errors import expect_empty
    from dlcv.vae.config import NAME, OUT, Vae

    expect_empty(out)  # before torch is imported
    from dlcv.vae.sample import draw

    count, seed = count or params[Vae].samples, params.seed if seed is None else seed
    print(draw(weights or OUT / NAME, count, seed, out))
