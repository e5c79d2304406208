"""`dlcv adaptation`: parses arguments, checks all of params.yaml, and calls the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv.runtime.config import load

app = typer.Typer(no_args_is_help=True, help="Train and evaluate domain adaptation on digits.")

Scenario = Annotated[str, typer.Argument(help="such as mnistm-usps")]


@app.command()
def train(
    method: Annotated[
        str,
        typer.Argument(
            help="supervised, dann, gta, selftraining; gta_source, selftraining_source: "
            "the source alone, as these learn it"
        ),
    ],
    task: Annotated[str, typer.Argument(help="a domain for supervised, else a scenario such as mnistm-usps")],
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="default: the first of adaptation.seeds")
    ] = None,
) -> None:
    """Train one method on one domain or scenario."""
    params = load()
    from dlcv.adaptation.config import Adaptation
    from dlcv.adaptation.tasks import Task, check

    chosen = Task(method, task, params[Adaptation].seeds[0] if seed is None else seed)
    check(chosen, params)  # what is missing is said before torch is imported
    from dlcv.adaptation.train import run

    print(run(chosen, params))


@app.command()
def variant(
    name: Annotated[str, typer.Argument(help="of adaptation.variants")],
    scenario: Scenario,
) -> None:
    """Train DANN with other settings on a scenario, and the source alone with the same."""
    params = load()
    from dlcv.adaptation.tasks import scenario_of
    from dlcv.adaptation.variants import with_variant

    with_variant(name, params)
    scenario_of(scenario, params)
    from dlcv.adaptation.variant import run

    print(run(name, scenario, params))


@app.command()
def evaluate(scenario: Scenario) -> None:
    """Score every training of a scenario and draw its figures."""
    params = load()
    from dlcv.adaptation.tasks import scenario_of

    scenario_of(scenario, params)
    from dlcv.adaptation.evaluate import run

    print(run(scenario, params))


@app.command()
def compare(scenario: Scenario) -> None:
    """Score the variants on a scenario."""
    params = load()
    from dlcv.adaptation.tasks import scenario_of

    scenario_of(scenario, params)
    from dlcv.adaptation.compare import run

    print(run(scenario, params))


@app.command()
def predict(
    images: Annotated[Path, typer.Argument(help="folder of images, grey or colour, of any size")],
    scenario: Annotated[str, typer.Option(help="such as mnistm-usps: the images are like its target")],
    out: Annotated[Path, typer.Option(help="table to write, image_name and label")],
    method: Annotated[
        str | None, typer.Option(help="dann, gta or selftraining; default: what the validator finds best")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="folder of trained weights; default: out/adaptation/SCENARIO/METHOD-SEED")
    ] = None,
) -> None:
    """Read the digits in a folder of images."""
    params = load()
    from dlcv.adaptation.config import Adaptation
    from dlcv.adaptation.rows import methods_of
    from dlcv.adaptation.tasks import Task, scenario_of
    from dlcv.runtime.errors import UserError, expect

    scenario_of(scenario, params)
    if method is not None:
        expect("method", method, methods_of(scenario, params))
        if weights is not None:
            raise UserError("--method and --weights both choose the weights; give one of them")
        weights = Task(method, scenario, params[Adaptation].seeds[0]).folder
    from dlcv.adaptation.predict import chosen_weights, run

    print(run(images, scenario, weights or chosen_weights(scenario), out))
