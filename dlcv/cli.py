"""The `dlcv` command: mounts the areas' Typer apps and imports none of them before it is used."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

# By the word on the command line: the module with its commands, and what they do.
AREAS = {
    "data": ("dlcv.sources.cli", "Prepare digits and faces; register an archive."),
    "evaluate": ("dlcv.evaluation.cli", "Score images against real ones."),
    "gan": ("dlcv.gan.cli", "Train, sample and evaluate GANs on faces."),
    "vae": ("dlcv.vae.cli", "Train, sample and evaluate a VAE on faces."),
    "ddim": ("dlcv.diffusion.ddim_cli", "Train a noise predictor on faces, sample it by DDIM and evaluate it."),
    "diffusion": ("dlcv.diffusion.cli", "Train, sample and evaluate conditional diffusion models on digits."),
    "adaptation": ("dlcv.adaptation.cli", "Train and evaluate domain adaptation on digits."),
    "report": ("dlcv.report.cli", "Write the report from what the stages made."),
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Data, trainings, scores and report of a reproducible study; `dvc repro` calls these in order.",
)
params_app = typer.Typer(no_args_is_help=True, help="Check or show params.yaml.")
app.add_typer(params_app, name="params")
tracking_app = typer.Typer(no_args_is_help=True, help="The MLflow database.")
app.add_typer(tracking_app, name="tracking")


@params_app.command()
def check() -> None:
    """Validate every key of params.yaml and do nothing else."""
    from dlcv.runtime.config import load

    load()
    print("params.yaml is valid")


@params_app.command()
def show(
    key: Annotated[
        str | None, typer.Argument(help="such as gan.sngan or dann.lambda; all of them if not given")
    ] = None,
) -> None:
    """Print what runs: the values under KEY, a model's section merged with its base."""
    from dlcv.runtime import config

    print(config.show(key, config.load()))


@app.command()
def profile(name: Annotated[str, typer.Argument(help="smoke, sample (what ships), course or full")]) -> None:
    """Set params.yaml to what ships plus what the profile changes, keeping comments and registered data."""
    from dlcv.pipeline import write
    from dlcv.runtime.config import apply_profile

    changes = apply_profile(name)
    print("\n".join(changes) if changes else f"params.yaml already has the values of {name}")
    write()


@app.command()
def pipeline() -> None:
    """Write the plots and artifacts that params.yaml implies into the areas' dvc.yaml files."""
    from dlcv.pipeline import write

    for path in write():
        print(path)


@app.command()
def repro(
    jobs: Annotated[
        int | None, typer.Option(min=1, help="stages at a time; default: one for each core, at most 4, or 1 with a GPU")
    ] = None,
) -> None:
    """Do what `dvc repro` does, with several stages at a time."""
    from dlcv.runtime.reproduce import default_jobs, reproduce

    reproduce(jobs or default_jobs())


@tracking_app.command()
def init() -> None:
    """Create the database if there is none; `make` does it before stages run."""
    from dlcv.runtime.tracking import initialise

    initialise()


@tracking_app.command("import")
def import_(file: Annotated[Path, typer.Argument(help="in mlruns-offline/")]) -> None:
    """Send to MLflow what was written to FILE, or to a folder of such files, while no server answered."""
    from dlcv.runtime.tracking import import_file

    print(f"{import_file(file)} imported from {file}")


def mount(arguments: list[str]) -> typer.Typer:
    """The whole command: the area that is called with its own commands, the others by name."""
    for area, (module, text) in AREAS.items():
        if arguments[:1] == [area]:
            app.add_typer(import_module(module).app, name=area, help=text)
        else:
            app.add_typer(typer.Typer(callback=lambda: None), name=area, help=text)
    return app


def run() -> None:
    """Run the command line of this process."""
    mount(sys.argv[1:])()
