"""`dlcv gan`: parses arguments, validates params.yaml, and calls the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv.runtime.config import load, load_for
from dlcv.runtime.options import declared, example, seed_option

app = typer.Typer(
    no_args_is_help=True,
    help="Train, sample and evaluate GANs on faces.",
    epilog=example("gan sample sngan --out faces"),
)

Model = Annotated[
    str, typer.Argument(help=f"{declared('gan.models')}; or another with a section in `gan` of params.yaml")
]
Seed = Annotated[int | None, seed_option("the training", "gan.seeds")]


@app.command(epilog=example("gan train sngan --seed 1"))
def train(model: Model, seed: Seed = None) -> None:
    """Train a model."""
    params = load()
    from dlcv.gan.config import Gan, provenance_of

    params = params.for_seed(seed, params[Gan].seeds)
    provenance_of(model, params)  # report a wrong name or missing data before torch is imported
    from dlcv.gan.train import run

    print(run(model, params))


@app.command(epilog=example("gan sample sngan --count 100 --seed 7 --out faces"))
def sample(
    model: Model,
    out: Annotated[Path | None, typer.Option(help="new folder for PNG files; default: the stage's own folder")] = None,
    count: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="number of images; default: gan.samples")
    ] = None,
    seed: Annotated[int | None, seed_option("the latents and, without --weights, of the training", "gan.seeds")] = None,
    weights: Annotated[Path | None, typer.Option(help="folder of trained weights; default: out/gan/MODEL-SEED")] = None,
) -> None:
    """Draw images from trained weights."""
    params = load_for(weights)
    from dlcv.gan.config import OUT, Gan, name_of, settings_of
    from dlcv.runtime.errors import UserError, expect_empty

    if weights is None:
        settings_of(model, params)
    params = params.for_seed(seed, params[Gan].seeds)
    if out is None and (count, weights) != (None, None):
        raise UserError("--count and --weights need --out, a new folder for the images")
    if out is None:
        from dlcv.gan.sample import run

        print(run(model, params))
        return
    expect_empty(out)  # before torch is imported
    from dlcv.gan.sample import draw

    weights = weights or OUT / name_of(model, params.seed)
    print(draw(model, weights, count or params[Gan].samples, params.seed, out))


@app.command(epilog=example("gan evaluate sngan"))
def evaluate(model: Model, seed: Seed = None) -> None:
    """Score a training's images and draw its figures."""
    params = load()
    from dlcv.gan.config import Gan, settings_of

    settings_of(model, params)
    from dlcv.gan.evaluate import run

    print(run(model, params.for_seed(seed, params[Gan].seeds)))


@app.command(epilog=example("gan summary"))
def summary() -> None:
    """Summarise the scores of all trainings, and compare the pairs of gan.pairs."""
    params = load()
    from dlcv.gan.summary import run

    print(run(params))
