"""`dlcv ddim`: parses arguments, checks all of params.yaml, and calls the stages of the model of faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from dlcv.diffusion.cli import given
from dlcv.diffusion.config import FACES_OUT, Ddim, Spacing, faces_name, faces_provenance
from dlcv.diffusion.noise_files import Scale, draw
from dlcv.runtime.config import load, load_for
from dlcv.runtime.errors import UserError, expect
from dlcv.runtime.options import example, seed_option

app = typer.Typer(
    no_args_is_help=True,
    help="Train a noise predictor of faces, sample it by DDIM, and evaluate it.",
    epilog=example("ddim sample --noise noise --steps 50 --out faces"),
)

Seed = Annotated[int | None, seed_option("the training", "ddim.seeds")]


@app.command(epilog=example("ddim train"))
def train(seed: Seed = None) -> None:
    """Train the noise predictor."""
    params = load()
    params = params.for_seed(seed, params[Ddim].seeds)
    faces_provenance(params)  # missing data is reported before torch is imported
    from dlcv.diffusion.train_faces import run

    print(run(params))


@app.command(epilog=example("ddim sample --noise noise --weights course --eta 0.5 --out faces"))
def sample(
    noise: Annotated[
        Path | None, typer.Option(help="folder of noise files, .pt or .npy; without it, those of the stage")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="new folder for PNG files of the same names")] = None,
    eta: Annotated[
        float | None, typer.Option(min=0, max=1, help="noise that is added in each step; 0: none; 1: as DDPM")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="network evaluations for an image, at most those of the training")
    ] = None,
    spacing: Annotated[
        Spacing | None,
        typer.Option(metavar="<str>", help=f"of the steps among those of the training: {', '.join(get_args(Spacing))}"),
    ] = None,
    clip: Annotated[bool | None, typer.Option("--clip/--no-clip", help="clip the predicted x0 to [-1, 1]")] = None,
    rederive: Annotated[
        bool | None, typer.Option("--rederive/--no-rederive", help="recompute the noise from the clipped x0")
    ] = None,
    scale: Annotated[
        Scale | None, typer.Option(help="clip images to [-1, 1], or stretch each to its own range; default: clip")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="folder of trained weights; default: out/ddim/unet-SEED")] = None,
    seed: Annotated[
        int | None, seed_option("the added noise and, without --weights, of the training", "ddim.seeds")
    ] = None,
) -> None:
    """Turn noise files into images; options that are not given are as in params.yaml."""
    params = load_for(weights)
    params = params.for_seed(seed, params[Ddim].seeds)
    changes = given(eta=eta, steps=steps, spacing=spacing, clip_x0=clip, rederive_epsilon=rederive)
    if noise is None or out is None:
        if changes or any(value is not None for value in (noise, out, scale, weights)):
            raise UserError("give both --noise, a folder of noise files, and --out, a new folder for the images")
        from dlcv.diffusion.sample_faces import run

        print(run(params))
        return
    sampling = params[Ddim].sampling.model_copy(update=changes)
    weights = weights or FACES_OUT / faces_name(params.seed)
    print(draw(noise, out, weights, sampling, scale or "clip", params.seed))


@app.command("import", epilog=example("ddim import hw2_data/face/UNet.pt course"))
def import_(
    path: Annotated[Path, typer.Argument(help="the course's UNet.pt, or a folder of diffusers' UNet2DModel")],
    out: Annotated[Path, typer.Argument(help="new folder, for --weights of ddim sample")],
) -> None:
    """Take a noise predictor from elsewhere: its weights under our names."""
    from dlcv.diffusion.foreign_weights import run

    print(run(path, out))


@app.command(epilog=example("ddim task course"))
def task(source: Annotated[str, typer.Argument(help="course")]) -> None:
    """Draw the images of the course's DDIM task, with its noise and weights, and compare them with the course's."""
    load()
    expect("source", source, ["course"])
    from dlcv.diffusion.task import run

    print(run(source))


@app.command(epilog=example("ddim evaluate"))
def evaluate(seed: Seed = None) -> None:
    """Score the images of a training, over eta and steps too, and draw the figures."""
    params = load()
    from dlcv.diffusion.evaluate_faces import run

    print(run(params.for_seed(seed, params[Ddim].seeds)))


@app.command(epilog=example("ddim summary"))
def summary() -> None:
    """Summarise the scores of all trainings."""
    params = load()
    from dlcv.diffusion.summary import faces

    print(faces(params))
