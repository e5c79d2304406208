"""The `dlcv` command: mounts the areas' Typer apps and imports none of them before it is used."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

AREAS = {
    "data": "Prepare the digits and the faces; register an archive.",
    "evaluate": "Score pictures against real ones.",
    "gan": "Train, sample and evaluate GANs on faces.",
    "vae": "Train and evaluate a VAE on faces, and draw from it.",
    "ddim": "Train a noise predictor on faces and sample it by DDIM.",
    "diffusion": "Train conditional diffusion models on digits, sample and evaluate them.",
    "adaptation": "Train and evaluate domain adaptation on digits.",
    "report": "Write the report from what the stages made.",
}
PACKAGES = {"evaluate": "evaluation"}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Data, trainings, scores and report of a reproducible study; `dvc repro` calls these in order.",
)
params_app = typer.Typer(no_args_is_help=True, help="Check params.yaml.")
app.add_typer(params_app, name="params")
tracking_app = typer.Typer(no_args_is_help=True, help="The MLflow database.")
app.add_typer(tracking_app, name="tracking")


@params_app.command()
def check() -> None:
    """Validate every key of params.yaml and do nothing else."""
    from dlcv.params import load

    load()
    print("params.yaml is valid")


@app.command()
def profile(name: Annotated[str, typer.Argument(help="smoke, sample, course or full")]) -> None:
    """Write a profile's values into params.yaml, keeping its comments."""
    from dlcv.params import apply_profile

    changes = apply_profile(name)
    print("\n".join(changes) if changes else f"params.yaml already has the values of {name}")


@app.command()
def repro(
    jobs: Annotated[
        int | None, typer.Option(min=1, help="stages at a time; default: one a core, at most 4, and 1 beside a GPU")
    ] = None,
) -> None:
    """Do what `dvc repro` does, with several stages at a time."""
    from dlcv.reproduction import default_jobs, reproduce

    reproduce(jobs or default_jobs())


@tracking_app.command()
def init() -> None:
    """Create the database where there is none; `make` does it once, before stages meet it."""
    from dlcv.tracking import initialise

    initialise()


@tracking_app.command("import")
def import_(file: Annotated[Path, typer.Argument(help="in mlruns-offline/")]) -> None:
    """Bring into MLflow what was written to FILE, or to a folder of them, while no server answered."""
    from dlcv.tracking import import_file

    print(f"{import_file(file)} imported from {file}")


def mount(arguments: list[str]) -> typer.Typer:
    """The whole command: the area that is called with its own commands, the others by name."""
    for area, text in AREAS.items():
        if arguments[:1] == [area]:
            app.add_typer(import_module(f"dlcv.{PACKAGES.get(area, area)}.cli").app, name=area, help=text)
        else:
            app.add_typer(typer.Typer(callback=lambda: None), name=area, help=text)
    return app


def run() -> None:
    """Run the command line of this process."""
    mount(sys.argv[1:])()
