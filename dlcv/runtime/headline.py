"""The headline scores in `metrics/`: few, flat and rounded, for `dvc metrics show` and `dvc metrics diff`.

Every row of a table has a JSON file of its own, and all files share the keys of `SCORES`. Full precision, intervals and
everything else is in `summary.json` in `out/`, which the report and `dlcv review` read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcv.runtime.files import replacing, write_json

METRICS = Path("metrics")
DIGITS = 2  # significant digits that are kept of half an interval


@dataclass(frozen=True)
class Meaning:
    """What a headline score is, and whether a higher or a lower one is better."""

    text: str
    higher_is_better: bool


SCORES = {
    "accuracy": Meaning(
        "share of digits that are right: target validation images (adaptation), generated digits as the judge reads"
        " them (diffusion), MNIST-M validation images (judge)",
        True,
    ),
    "face_score": Meaning("share of images in which dlib's detector finds a face", True),
    "fid": Meaning("Fréchet distance to the training images in the features of pytorch-fid's Inception", False),
    "frechet": Meaning("the same in the features of `evaluation.extractor` where that is not Inception", False),
    "frechet_dlib_face": Meaning("the same in the features by which dlib tells persons apart", False),
    "mse": Meaning("mean squared error of reconstructed validation images, pixel values in [-1, 1]", False),
}


def of_images(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The headline scores among the summarised scores of images, as `write` takes them."""
    everything = {**summary, **summary.get("dlib_face", {})}
    own = {key: score for key, score in everything.items() if key in SCORES}
    if "digit_accuracy" in everything:
        own["accuracy"] = everything["digit_accuracy"]
    for key, score in everything.items():
        if key.startswith("frechet_") and key not in SCORES and not key.endswith("_to_validation"):
            own["frechet"] = score
    return own


def write(path: Path, rows: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write the headline scores of several rows, `path/ROW.json` each; what was in the folder `path` is gone.

    Args:
        path: a folder in `metrics/`.
        rows: by row and key of `SCORES`, a score: `value` or `accuracy`, and perhaps `interval`.

    Returns:
        `path`.
    """
    with replacing(path) as folder:
        folder.mkdir(parents=True)
        for row, scores in rows.items():
            write_row(folder / f"{row}.json", scores)
    return path


def write_row(path: Path, scores: Mapping[str, Any]) -> Path:
    """Write the headline scores of one row to `path`; see `write`."""
    assert scores.keys() <= SCORES.keys()
    write_json(path, {key: rounded(scores[key]) for key in SCORES if key in scores})
    return path


def rounded(score: Mapping[str, Any]) -> float:
    """The value of a score to two significant digits of half its interval; without an interval, to three of its own."""
    value = float(score["value"] if "value" in score else score["accuracy"])
    ends = score.get("interval")
    half = (ends["high"] - ends["low"]) / 2 if ends else 0.0
    if half > 0:
        return round(value, DIGITS - 1 - math.floor(math.log10(half)))
    return float(f"{value:.3g}")
