"""`dlcv evaluate digits`: what the judge reads in a folder of images whose names say their digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcv.data.digit_names import digit_of
from dlcv.data.images import list_images, read_images
from dlcv.evaluation.judge.network import load_judge
from dlcv.evaluation.metrics.classification import accuracy_by_digit


def score(folder: Path, weights: Path) -> dict[str, Any]:
    """The values of `accuracy_by_digit`, by the digit in the name of each PNG file: `7_001.png`.

    Args:
        weights: folder of a trained judge.

    Raises:
        UserError: no images, one that cannot be read, or a name without a digit; no judge.
    """
    asked = np.array([digit_of(file.name) for file in list_images(folder, png_only=True)])
    judge = load_judge(weights)
    return accuracy_by_digit(asked, judge(read_images(folder)))


def table(scores: dict[str, Any]) -> str:
    """A line for each digit: how many images, and which share the judge reads as that digit."""
    counts = [sum(row) for row in scores["confusion"]]
    rows = [("all", sum(counts), scores["digit_accuracy"])]
    rows = [*((digit, counts[int(digit)], one) for digit, one in scores["digits"].items()), *rows]
    lines = ["digit  images  accuracy  95 % interval"]
    for name, count, one in rows:
        ends = one["interval"]
        lines.append(f"{name:5}  {count:6}  {one['accuracy']:8.4f}  {ends['low']:.4f} to {ends['high']:.4f}")
    return "\n".join(lines)
