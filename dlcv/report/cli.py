"""`dlcv report`."""

from __future__ import annotations

import typer

from dlcv.runtime.config import load
from dlcv.runtime.options import example

app = typer.Typer()


@app.callback(invoke_without_command=True, epilog=example("report"))
def report() -> None:
    """Write the report from the metrics, weights and figures of the stages."""
    params = load()
    from dlcv.report.report import run

    print(run(params))
