"""`dlcv vae`: parses arguments, validates params.yaml, and calls the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv.runtime.config import load, load_for
from dlcv.runtime.options import example, seed_option

app = typer.Typer(
    no_args_is_help=True, help="Train, sample and evaluate a VAE on faces.", epilog=example("vae sample --out faces")
)

Seed = Annotated[int | None, seed_option("the training", "vae.seeds")]


@app.command(epilog=example("vae train --seed 1"))
def train(seed: Seed = None) -> None:
    """Train the network."""
    params = load()
    from dlcv.vae.config import Vae, provenance_of

    params = params.for_seed(seed, params[Vae].seeds)
    provenance_of(params)  # report missing data before torch is imported
    from dlcv.vae.train import run

    print(run(params))


@app.command(epilog=example("vae evaluate"))
def evaluate(seed: Seed = None) -> None:
    """Score reconstructions, latents and samples of a training, and draw the figures."""
    params = load()
    from dlcv.vae.config import Vae
    from dlcv.vae.evaluate import run

    print(run(params.for_seed(seed, params[Vae].seeds)))


@app.command(epilog=example("vae summary"))
def summary() -> None:
    """Summarise the scores of all trainings."""
    params = load()
    from dlcv.vae.summary import run

    print(run(params))


@app.command(epilog=example("vae sample --count 100 --out faces"))
def sample(
    out: Annotated[Path, typer.Option(help="new folder for PNG files")],
    count: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="number of images; default: vae.samples")
    ] = None,
    seed: Annotated[int | None, seed_option("the latents and, without --weights, of the training", "vae.seeds")] = None,
    weights: Annotated[Path | None, typer.Option(help="folder of trained weights; default: out/vae/vae-SEED")] = None,
    prior: Annotated[
        Path | None,
        typer.Option(help="folder of an evaluation, whose fitted prior the latents are from; default: N(0, I)"),
    ] = None,
) -> None:
    """Draw images from trained weights."""
    params = load_for(weights)
    from dlcv.runtime.errors import expect_empty
    from dlcv.vae.config import OUT, Vae, name_of

    expect_empty(out)  # before torch is imported
    from dlcv.vae.sample import draw

    seed = params.for_seed(seed, params[Vae].seeds).seed
    print(draw(weights or OUT / name_of(seed), count or params[Vae].samples, seed, out, prior))
