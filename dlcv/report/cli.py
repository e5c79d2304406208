"""`dlcv report`."""

from __future__ import annotations

import typer

from dlcv.runtime.config import load

app = typer.Typer()


@app.callback(invoke_without_command=True)
def report() -> None:
    """Write the report from what the stages made."""
    params = load()
    from dlcv.report.report import run

    print(run(params))
