"""Charts with matplotlib, saved as PNG, and for a page their numbers. The same values give the same bytes."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dlcv.figures import live
from dlcv.runtime.files import replacing

DPI = 110


def scatter(
    path: Path, maps: Mapping[str, np.ndarray], groups: np.ndarray, names: list[str], title: str, legend: str
) -> None:
    """Scatter plots of the same points side by side, coloured by group.

    Args:
        maps: by title of the panel, the points, N x 2.
        groups: group of each point as an index into `names`, N.
        names: names of the groups, at most 10.
        title: title of the figure.
        legend: title of the legend.
    """
    colours = ListedColormap([plt.get_cmap("tab10")(index) for index in range(len(names))])
    figure, axes = plt.subplots(1, len(maps), figsize=(5 * len(maps), 5.6), squeeze=False, layout="constrained")
    # In random order, so that no group covers the others.
    order = np.random.default_rng(0).permutation(len(groups))
    for axis, (panel, points) in zip(axes[0], maps.items(), strict=True):
        x, y = points[order].T
        axis.scatter(x, y, c=groups[order], cmap=colours, vmin=-0.5, vmax=len(names) - 0.5, s=10, alpha=0.75, lw=0)
        axis.set(title=panel, xticks=[], yticks=[])
    handles = [Line2D([], [], marker="o", ls="", color=colours(index)) for index in range(len(names))]
    columns = len(names) if max(map(len, names)) < 4 else 1
    figure.legend(handles, names, title=legend, loc="outside lower center", ncols=columns, frameon=False)
    figure.suptitle(title)
    _save(figure, path)


def confusion(path: Path, matrices: Mapping[str, np.ndarray], title: str) -> None:
    """Confusion matrices side by side; each row (label) sums to 1.

    Args:
        matrices: by title of the panel, the counts, C x C, labels by predictions.
        title: title of the figure.
    """
    width = 4.4 * len(matrices)
    figure, axes = plt.subplots(1, len(matrices), figsize=(width, 4.9), squeeze=False, layout="constrained")
    for axis, (panel, counts) in zip(axes[0], matrices.items(), strict=True):
        shares = counts / counts.sum(axis=1, keepdims=True)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for label, predicted in np.ndindex(*shares.shape):
            share = shares[label, predicted]
            if share >= 0.005:
                colour = "white" if share > 0.5 else "black"
                axis.text(predicted, label, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour)
        ticks = range(len(counts))
        axis.set(title=panel, xlabel="prediction", ylabel="label, row = 100 %", xticks=ticks, yticks=ticks)
    figure.suptitle(textwrap.fill(title, int(11 * width)))  # about 11 characters per inch
    _save(figure, path)


def curves(
    path: Path, table: Path, title: str, right: tuple[str, ...] = ("accuracy",), labels: Mapping[str, str] = {}
) -> None:
    """The curves of a training in two panels.

    Args:
        table: CSV file with a column `step`; every other column is a curve.
        title: title of the figure.
        right: endings of the names of the columns in the right panel; the others are in the left panel.
        labels: the name of a column in the legend, if it is not the column's own.
    """
    curve = pd.read_csv(table).set_index("step")
    names = [str(name) for name in curve]
    shown_right = [name for name in names if name.endswith(right)]
    figure, (left_axis, right_axis) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    shown_left = [name for name in names if name not in shown_right]
    for axis, shown in ((left_axis, shown_left), (right_axis, shown_right)):
        for name in shown:
            axis.plot(curve.index, curve[name], label=labels.get(name, name.replace("_", " ")), lw=1.3)
        axis.set(xlabel="step")
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    figure.suptitle(title)
    _save(figure, path)
    steps = curve.index.tolist()

    def named(name: str) -> str:
        return labels.get(name, name.replace("_", " "))

    sides = ((shown_left, "losses and other measures"), (shown_right, ", ".join(map(named, right))))
    panels = [
        live.panel(side, [live.line(named(name), steps, curve[name].tolist()) for name in shown])
        for shown, side in sides
        if shown
    ]
    live.chart(path, "step", panels)


def lines(path: Path, series: Mapping[str, Mapping[int, float]], x: str, y: str, title: str) -> None:
    """Points joined by lines.

    Args:
        series: by name of the line, its y values by x.
        x, y: labels of the axes.
        title: title of the figure.
    """
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for name, points in series.items():
        axis.plot(list(points), list(points.values()), marker="o", ms=4, lw=1.3, label=name)
    axis.set(xlabel=x, ylabel=y, title=title)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    _save(figure, path)
    curves = [live.line(name, list(points), list(points.values())) for name, points in series.items()]
    live.chart(path, x, [live.panel(y, curves)])


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        # Without matplotlib's version in the metadata, so that the bytes do not depend on it.
        figure.savefig(temporary, dpi=DPI, metadata={"Software": None})
    plt.close(figure)
