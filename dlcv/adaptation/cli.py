"""`dlcv adaptation`: parses arguments, checks all of params.yaml, and calls the stages."""

from __future__ import annotations

from typing import Annotated

import typer

from dlcv.params import load

app = typer.Typer(no_args_is_help=True, help="Train and evaluate domain adaptation on digits.")


@app.command()
def train(
    method: Annotated[str, typer.Argument(help="supervised or dann")],
    task: Annotated[str, typer.Argument(help="a domain for supervised, else a scenario such as mnistm-usps")],
) -> None:
    """Train one method on one domain or scenario."""
    params = load()
    from dlcv.adaptation.tasks import provenance_of

    provenance_of(method, task, params)  # what is missing is said before torch is imported
    from dlcv.adaptation.train import run

    print(run(method, task, params))


@app.command()
def evaluate(scenario: Annotated[str, typer.Argument(help="such as mnistm-usps")]) -> None:
    """Score every training of a scenario and draw its figures."""
    params = load()
    from dlcv.adaptation.tasks import scenario_of

    scenario_of(scenario, params)
    from dlcv.adaptation.evaluate import run

    print(run(scenario, params))
