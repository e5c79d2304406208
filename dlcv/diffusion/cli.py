"""`dlcv diffusion`: parses arguments, checks all of params.yaml, and calls the stages of the models of digits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dlcv.diffusion.config import DIGITS_OUT, Diffusion, digits_name, digits_provenance, guidance_of, settings_of
from dlcv.runtime.config import load, load_for
from dlcv.runtime.errors import UserError, expect_empty
from dlcv.runtime.options import declared, example, seed_option

app = typer.Typer(
    no_args_is_help=True,
    help="Train, sample and evaluate conditional diffusion models on digits.",
    epilog=example("diffusion sample context-unet --digit 7 --out sevens"),
)

Model = Annotated[
    str, typer.Argument(help=f"{declared('diffusion.models')}; or another with a section in `diffusion` of params.yaml")
]
Seed = Annotated[int | None, seed_option("the training", "diffusion.seeds")]


@app.command(epilog=example("diffusion train context-unet"))
def train(model: Model, seed: Seed = None) -> None:
    """Train one model."""
    params = load()
    params = params.for_seed(seed, params[Diffusion].seeds)
    digits_provenance(model, params)  # missing data is reported before torch is imported
    from dlcv.diffusion.train_digits import run

    print(run(model, params))


@app.command(epilog=example("diffusion sample context-unet --all --w 2 --out digits"))
def sample(
    model: Model,
    digit: Annotated[
        int | None, typer.Option(min=0, max=9, help="class of the images; without it and --all, those of the stage")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="every digit; with 100 images of each, what is scored")] = False,
    out: Annotated[Path | None, typer.Option(help="new folder for PNG files")] = None,
    count: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="number of images of a digit; default: 10, with --all 100")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="time steps, at most those of the training")] = None,
    w: Annotated[
        float | None, typer.Option(min=0, max=1000, help="guidance scale; 0: the conditional prediction alone")
    ] = None,
    eta: Annotated[
        float | None, typer.Option(min=0, max=1, help="noise that is added in DDIM's steps; 0: none; 1: as DDPM")
    ] = None,
    skip: Annotated[
        float | None, typer.Option(min=0, max=1, help="fraction of the steps without the unconditional prediction")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="folder of trained weights; default: out/diffusion/MODEL-SEED")
    ] = None,
    seed: Annotated[
        int | None, seed_option("the noise and, without --weights, of the training", "diffusion.seeds")
    ] = None,
) -> None:
    """Draw images of one digit or of all; options that are not given are as in params.yaml."""
    params = load_for(weights)
    params = params.for_seed(seed, params[Diffusion].seeds)
    if weights is not None and model not in params[Diffusion].settings:
        guidance = params[Diffusion].guidance.base  # of a model that is declared where it was trained
    else:
        guidance = guidance_of(model, params)
    if (digit is None) != every or out is None:
        if every or any(value is not None for value in (digit, out, count, steps, w, eta, skip, weights)):
            raise UserError("give --digit, 0 to 9, or --all, and --out, a new folder for the images")
        from dlcv.diffusion.sample_digits import run

        print(run(model, params))
        return
    expect_empty(out)  # reported before torch is imported
    sampling = params[Diffusion].sampling.model_copy(update=given(steps=steps, eta=eta))
    guidance = guidance.model_copy(update=given(w=w, skip_unconditional=skip))
    from dlcv.diffusion.sample_digits import draw_digits

    weights = weights or DIGITS_OUT / digits_name(model, params.seed)
    digits = range(10) if digit is None else [digit]
    print(draw_digits(model, weights, digits, count or (100 if every else 10), out, sampling, guidance, params.seed))


@app.command(epilog=example("diffusion evaluate context-unet"))
def evaluate(model: Model, seed: Seed = None) -> None:
    """Score a training's images, over w too, and draw the figures."""
    params = load()
    settings_of(model, params)
    from dlcv.diffusion.evaluate_digits import run

    print(run(model, params.for_seed(seed, params[Diffusion].seeds)))


@app.command(epilog=example("diffusion summary"))
def summary() -> None:
    """Summarise the scores of all trainings."""
    params = load()
    from dlcv.diffusion.summary import digits

    print(digits(params))


def given(**options: Any) -> dict[str, Any]:
    """The options that are on the command line."""
    return {key: value for key, value in options.items() if value is not None}
