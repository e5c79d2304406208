"""`dlcv ddim`: parses arguments, checks all of params.yaml, and calls the stages."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dlcv.runtime.config import load

app = typer.Typer(no_args_is_help=True, help="Train a noise predictor on faces, sample it by DDIM, and evaluate it.")


class SpacingName(StrEnum):
    """The spacings of the sampler's times."""

    UNIFORM = "uniform"
    UNIFORM_1 = "uniform+1"
    TRAILING = "trailing"
    QUAD = "quad"


class ScaleName(StrEnum):
    """How an image becomes bytes."""

    CLIP = "clip"
    MINMAX = "minmax"


@app.command()
def train() -> None:
    """Train the noise predictor."""
    params = load()
    from dlcv.ddim.tasks import provenance_of

    provenance_of(params)  # what is missing is said before torch is imported
    from dlcv.ddim.train import run

    print(run(params))


@app.command()
def sample(
    noise: Annotated[
        Path | None, typer.Option(help="folder of noise files, .pt or .npy; without it, the stage")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="new folder for PNG files of the same names")] = None,
    eta: Annotated[float | None, typer.Option(min=0, max=1, help="0: no fresh noise; 1: as DDPM")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="evaluations of the network for an image")] = None,
    spacing: Annotated[SpacingName | None, typer.Option(help="of the steps among those of the training")] = None,
    clip: Annotated[bool | None, typer.Option("--clip/--no-clip", help="the predicted image to [-1, 1]")] = None,
    rederive: Annotated[
        bool | None, typer.Option("--rederive/--no-rederive", help="the noise from the clipped image")
    ] = None,
    scale: Annotated[ScaleName | None, typer.Option(help="clip to [-1, 1], or stretch each image")] = None,
    weights: Annotated[Path | None, typer.Option(help="folder of trained weights; default: out/ddim/unet")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="of the fresh noise; default: that of params.yaml")
    ] = None,
) -> None:
    """Turn noise files into images; what is not given is as in params.yaml, and images are clipped."""
    params = load()
    from dlcv.ddim.noise import list_files
    from dlcv.ddim.sections import Ddim
    from dlcv.ddim.tasks import NAME, OUT
    from dlcv.runtime.errors import UserError, expect_empty

    given: dict[str, Any] = {
        key: value
        for key, value in {
            "eta": eta,
            "steps": steps,
            "spacing": None if spacing is None else spacing.value,
            "clip_x0": clip,
            "rederive_epsilon": rederive,
        }.items()
        if value is not None
    }
    if noise is None or out is None:
        if given or any(value is not None for value in (noise, out, scale, weights, seed)):
            raise UserError("give both --noise, a folder of noise files, and --out, a new folder for the images")
        from dlcv.ddim.sample import run

        print(run(params))
        return
    expect_empty(out)  # said before torch is imported
    list_files(noise)
    from dlcv.ddim.sample import draw

    sampling = params[Ddim].sampling.model_copy(update=given)
    seed = params.seed if seed is None else seed
    print(draw(noise, out, weights or OUT / NAME, sampling, scale.value if scale else "clip", seed))


@app.command()
def evaluate() -> None:
    """Score the images, over eta and steps too, and draw the figures."""
    params = load()
    from dlcv.ddim.evaluate import run

    print(run(params))
