"""`dlcv diffusion`: parses arguments, checks all of params.yaml, and calls the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dlcv.runtime.config import load

app = typer.Typer(no_args_is_help=True, help="Train conditional diffusion models on digits, sample and evaluate them.")

Model = Annotated[str, typer.Argument(help="context-unet, context-unet-t1000, attention-unet or residual-unet")]


@app.command()
def train(model: Model) -> None:
    """Train one model."""
    params = load()
    from dlcv.diffusion.tasks import provenance_of

    provenance_of(model, params)  # what is missing is said before torch is imported
    from dlcv.diffusion.train import run

    print(run(model, params))


@app.command()
def sample(
    model: Model,
    digit: Annotated[int | None, typer.Option(min=0, max=9, help="without it, the stage")] = None,
    out: Annotated[Path | None, typer.Option(help="new folder for PNG files")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="images; default: 10")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="times at which the network is asked")] = None,
    w: Annotated[float | None, typer.Option(min=0, help="guidance scale; 0: the conditional network alone")] = None,
    eta: Annotated[float | None, typer.Option(min=0, max=1, help="0: no fresh noise; 1: as DDPM")] = None,
    skip: Annotated[
        float | None, typer.Option(min=0, max=1, help="chance of a step to leave the unconditional pass out")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="folder of trained weights; default: out/diffusion/MODEL")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="of the noise; default: that of params.yaml")
    ] = None,
) -> None:
    """Draw images of one digit; what is not given is as in params.yaml."""
    params = load()
    from dlcv.diffusion.config import Diffusion
    from dlcv.diffusion.tasks import OUT, settings_of
    from dlcv.runtime.errors import UserError, expect_empty

    settings = settings_of(model, params)
    if digit is None or out is None:
        if any(value is not None for value in (digit, out, count, steps, w, eta, skip, weights, seed)):
            raise UserError("give both --digit, 0 to 9, and --out, a new folder for the images")
        from dlcv.diffusion.sample import run

        print(run(model, params))
        return
    expect_empty(out)  # said before torch is imported
    changed: dict[str, Any] = {key: value for key, value in {"steps": steps, "eta": eta}.items() if value is not None}
    sampling = params[Diffusion].sampling.model_copy(update=changed)
    guided: dict[str, Any] = {
        key: value for key, value in {"w": w, "skip_unconditional": skip}.items() if value is not None
    }
    guidance = settings.guidance.model_copy(update=guided)
    from dlcv.diffusion.sample import draw_digit

    seed = params.seed if seed is None else seed
    print(draw_digit(model, weights or OUT / model, digit, count or 10, out, sampling, guidance, seed))


@app.command()
def evaluate(model: Model) -> None:
    """Score a model's images, over w too, and draw the figures."""
    params = load()
    from dlcv.diffusion.tasks import settings_of

    settings_of(model, params)
    from dlcv.diffusion.evaluate import run

    print(run(model, params))
