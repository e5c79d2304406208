"""`dlcv adaptation`: parses arguments, checks all of params.yaml, and calls the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv.adaptation.config import ADAPTING, METHODS
from dlcv.data.config import DOMAINS
from dlcv.runtime.config import load, load_for
from dlcv.runtime.options import declared, example, seed_option

app = typer.Typer(
    no_args_is_help=True,
    help="Train and evaluate domain adaptation on digits.",
    epilog=example("adaptation predict in --scenario mnistm-usps --out digits.csv"),
)

SCENARIOS = declared("adaptation.scenarios")
Scenario = Annotated[str, typer.Argument(help=SCENARIOS)]


def _methods(on: str) -> str:
    return ", ".join(name for name, method in METHODS.items() if method.on == on)


@app.command(epilog=example("adaptation train dann mnistm-usps --seed 1"))
def train(
    method: Annotated[str, typer.Argument(help=f"{', '.join(METHODS)}; *_source: the method's source-only baseline")],
    name: Annotated[
        str,
        typer.Argument(help=f"for {_methods('domain')}: {', '.join(DOMAINS)}; for the others: {SCENARIOS}"),
    ],
    seed: Annotated[
        int | None,
        seed_option(
            "the training",
            "adaptation.seeds",
            f"; with --variant, of adaptation.comparison.seeds ({declared('adaptation.comparison.seeds')})",
        ),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(help=f"{declared('adaptation.variants')}; trained with the steps of adaptation.comparison"),
    ] = None,
) -> None:
    """Train one method on one domain or scenario."""
    params = load()
    from dlcv.adaptation.trainings import task_of

    task = task_of(method, name, params, seed, variant)  # an error is found before torch is imported
    from dlcv.adaptation.train import run

    print(run(task, params))


@app.command(epilog=example("adaptation evaluate mnistm-usps"))
def evaluate(scenario: Scenario) -> None:
    """Score all trainings of a scenario, those of variants too, and draw its figures."""
    params = load()
    from dlcv.adaptation.trainings import scenario_of

    scenario_of(scenario, params)
    from dlcv.adaptation.evaluate import run

    print(run(scenario, params))


@app.command(epilog=example("adaptation predict in --scenario mnistm-usps --out digits.csv"))
def predict(
    images: Annotated[Path, typer.Argument(help="folder of images, grey or colour, of any size")],
    scenario: Annotated[str, typer.Option(help=f"{SCENARIOS}; the images are like those of its target")],
    out: Annotated[Path, typer.Option(help="table to write, with image_name and label")],
    method: Annotated[
        str | None, typer.Option(help=f"{', '.join(ADAPTING)}; default: the choice of the validator")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="folder of trained weights; default: out/adaptation/SCENARIO/METHOD-SEED")
    ] = None,
) -> None:
    """Predict the digits in a folder of images."""
    params = load_for(weights)
    from dlcv.adaptation.config import Adaptation
    from dlcv.adaptation.trainings import Task, methods_of, scenario_of
    from dlcv.runtime.errors import UserError, expect

    if weights is None:
        scenario_of(scenario, params)
    if method is not None:
        expect("method", method, methods_of(scenario, params))
        if weights is not None:
            raise UserError("--method and --weights both choose the weights; give one of them")
        weights = Task(method, scenario, params[Adaptation].seeds[0]).folder
    from dlcv.adaptation.predict import chosen_weights, run

    print(run(images, scenario, weights or chosen_weights(scenario), out))
