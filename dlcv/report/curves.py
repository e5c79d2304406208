"""Charts of the curves of a training, as Vega-Lite specifications that can be zoomed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

POINTS = 250  # at most, of each curve
CURVE = "curve.csv"


def chart(figure: Path) -> dict[str, Any] | None:
    """The chart in place of the figure of a training's curves; None if `figure` is another one.

    The curves lie beside the weights: `out/gan/dcgan-0/curve.csv` is shown by
    `out/gan/dcgan-0-evaluation/curve.png`.
    """
    training = figure.parent.with_name(figure.parent.name.removesuffix("-evaluation"))
    path = training / CURVE
    if figure.name != "curve.png" or training == figure.parent or not path.is_file():
        return None
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    every = -(-len(rows) // POINTS)
    columns = [name for name in rows[0] if name != "step"]
    values = [
        {"step": int(row["step"]), **{name: float(row[name]) for name in columns if row[name]}} for row in rows[::every]
    ]
    panels = [
        {
            "mark": {"type": "line", "tooltip": True},
            "width": 300,
            "height": 130,
            "params": [{"name": f"zoom_{index}", "select": "interval", "bind": "scales"}],
            "encoding": {
                "x": {"field": "step", "type": "quantitative", "title": "step"},
                "y": {
                    "field": name,
                    "type": "quantitative",
                    "title": name.replace("_", " "),
                    "scale": {"zero": False},
                },
            },
        }
        for index, name in enumerate(columns)
    ]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "concat": panels,
        "columns": 2,
        "config": {"background": "transparent"},
    }
