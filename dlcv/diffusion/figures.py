"""Figures of the models of digits: scores over the guidance scale, and a diagram of the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from dlcv.figures import live
from dlcv.runtime.files import replacing

DPI = 110
COLOURS = {"": "#d9d9d9", "time": "#9ecae1", "class": "#fdae6b", "time, class": "#a1d99b"}


def over_w(path: Path, table: pd.DataFrame, distance: str, title: str) -> None:
    """Digit accuracy with its interval (left) and Fréchet distance (right) over w, with a line for real images.

    Args:
        table: as of `evaluate_digits.over_guidance`.
        distance: the name of the distance.
    """
    rows, real = table[table["row"] == "w"], table[table["row"] == "real"].iloc[0]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    errors = np.stack([rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]])
    left.errorbar(rows["w"], rows["accuracy"], yerr=errors, marker="o", ms=4, lw=1.3, capsize=3)
    right.plot(rows["w"], rows["distance"], marker="o", ms=4, lw=1.3)
    for axis, column, label in ((left, "accuracy", "digit accuracy by the judge"), (right, "distance", distance)):
        axis.axhline(float(real[column]), color="grey", ls="--", lw=1, label="real validation images")
        axis.set(xlabel="guidance scale w", ylabel=label)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    figure.suptitle(title)
    _save(figure, path)
    w = rows["w"].tolist()
    interval = (rows["low"].tolist(), rows["high"].tolist())
    ends = [w[0], w[-1]]
    panels = [
        live.panel(
            label,
            [live.line("generated", w, rows[column].tolist(), bounds), live.line("real", ends, [real[column]] * 2)],
        )
        for column, label, bounds in (
            ("accuracy", "digit accuracy by the judge", interval),
            ("distance", distance, None),
        )
    ]
    live.chart(path, "guidance scale w", panels)


def diagram(path: Path, layers: Sequence[dict[str, Any]], title: str) -> None:
    """A network from left to right, in the order of a forward pass; smaller feature maps are drawn lower.

    Args:
        layers: as of `networks.interface.describe`.
    """
    maps = [index for index, layer in enumerate(layers) if layer["output"].count(" x ") == 2]
    vectors = [index for index in range(len(layers)) if index not in maps]
    sides = {index: int(layers[index]["output"].split(" x ")[1]) for index in maps}
    top = math.log2(max(sides.values()))
    figure, axis = plt.subplots(figsize=(max(9.0, 0.75 * len(maps)), 6.2), layout="constrained")
    place = {index: (x, 1.6 * (math.log2(sides[index]) - top)) for x, index in enumerate(maps)}
    for index, (x, y) in place.items():
        layer = layers[index]
        axis.add_patch(Rectangle((x - 0.36, y - 0.6), 0.72, 1.2, fc=COLOURS[layer["condition"]], ec="black", lw=0.8))
        text = f"{layer['layer']}\n{layer['output'].replace(' ', '')}"
        axis.text(x, y, text, rotation=90, ha="center", va="center", fontsize=7)
        if layer["skip"] is not None:
            (start_x, start_y) = place[layer["skip"]]
            arrow = FancyArrowPatch(
                (start_x, start_y + 0.6), (x, y + 0.6),
                connectionstyle="arc3,rad=-0.12", arrowstyle="->", mutation_scale=9, color="#888888", lw=0.8,
            )  # fmt: skip
            axis.add_patch(arrow)
    for before, after in pairwise(maps):
        axis.add_patch(
            FancyArrowPatch(
                (place[before][0] + 0.36, place[before][1]), (place[after][0] - 0.36, place[after][1]),
                arrowstyle="->", mutation_scale=8, color="black", lw=0.8,
            )
        )  # fmt: skip
    bottom = min(y for _, y in place.values()) - 1.4
    for row, index in enumerate(vectors):
        layer = layers[index]
        axis.text(
            0, bottom - 0.6 * row, f"{layer['layer']}: {layer['output']} numbers", fontsize=8, va="center",
            bbox={"fc": COLOURS[layer["condition"]], "ec": "black", "lw": 0.8, "pad": 3},
        )  # fmt: skip
    handles = [
        Rectangle((0, 0), 1, 1, fc=COLOURS[key], ec="black", lw=0.8, label=f"{key} enters" if key else "images alone")
        for key in COLOURS
        if any(layer["condition"] == key for layer in layers)
    ]
    axis.legend(handles=handles, loc="lower right", frameon=False, fontsize=8, title="grey arcs: concatenated")
    highest = max(y for _, y in place.values())
    axis.set(xlim=(-0.8, len(maps) - 0.2), ylim=(bottom - 0.6 * len(vectors), highest + 0.8 + 0.1 * len(maps)))
    axis.axis("off")
    axis.set_title(f"{title}: channels x height x width of each part's output")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        # Without matplotlib's version in the metadata, on which the bytes would depend.
        figure.savefig(temporary, dpi=DPI, metadata={"Software": None})
    plt.close(figure)
