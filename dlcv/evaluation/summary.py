"""The scores of a model over its trainings, for `summary.json` and the files in `metrics/`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.metrics.trainings import mean_difference, new_training, variance_of
from dlcv.runtime import summaries
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, write_json
from dlcv.runtime.publish import publish


def write_summary(
    folder: Path, area: str, seeds: Sequence[int], scores: Mapping[str, Any], figures: Sequence[Path] = ()
) -> Path:
    """Write the scores of an area over all its trainings to `summary.json` in `folder`, and log them with `figures`.

    Returns:
        The file.
    """
    summary = {"seeds": list(seeds), **scores}
    write_json(folder / summaries.FILE, summary)
    publish(f"{area} summary", {"seeds": list(seeds)}, summary, figures)
    return folder / summaries.FILE


def read_scores(folder: Path) -> dict[str, Any]:
    """The `scores.json` that an evaluation wrote into `folder`.

    Raises:
        UserError: it is missing or damaged.
    """
    path = folder / "scores.json"
    try:
        evaluated: dict[str, Any] = read_json(path)
        return {"scores": evaluated["scores"], "protocol": evaluated["protocol"], "training": evaluated["training"]}
    except (FileNotFoundError, ValueError, KeyError):
        raise UserError(f"{path} has no scores; `dvc repro` makes it, `dvc pull` fetches it") from None


def summarise(trainings: Sequence[Mapping[str, Any]], *, same_images: bool = False) -> dict[str, Any]:
    """The mean of each score over trainings.

    Args:
        trainings: the scores of each, with equal keys: numbers, mappings with `value` or `accuracy` and perhaps
            `interval`, and mappings of scores. Other values are left out.
        same_images: whether all trainings are scored on the same images.

    Returns:
        For each score `value`, the mean; `standard_deviation` over the trainings if there are several; and `interval`
        if those of the trainings have one: that of a new training, or of the images if there is one training. See
        `dlcv.evaluation.metrics.trainings`.
    """
    summary: dict[str, Any] = {}
    for name, first in trainings[0].items():
        each = [training[name] for training in trainings]
        if isinstance(first, Mapping):
            key = next((key for key in ("value", "accuracy") if key in first), None)
            summary[name] = summarise(each, same_images=same_images) if key is None else _score(each, key, same_images)
        elif isinstance(first, (int, float)):
            summary[name] = {"value": float(np.mean(each)), **_spread(each)}
    return {name: value for name, value in summary.items() if value}


def _score(each: Sequence[Mapping[str, Any]], key: str, same_images: bool) -> dict[str, Any]:
    values = [float(one[key]) for one in each]
    summary = {"value": float(np.mean(values)), **_spread(values)}
    if "interval" not in each[0]:
        return summary
    if len(each) == 1:
        return {**summary, "interval": dict(each[0]["interval"])}  # need not be symmetric
    ends = [(one["interval"]["low"], one["interval"]["high"]) for one in each]
    variance = float(np.mean([variance_of(*interval) for interval in ends]))
    _, low, high = new_training(values, variance, same_images=same_images)
    # Every score with an interval is a share, or a Fréchet distance, which has no upper bound.
    highest = math.inf if "left_out" in each[0] else 1.0
    return {**summary, "interval": {"low": max(0.0, low), "high": min(highest, high)}}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"standard_deviation": float(np.std(values, ddof=1))} if len(values) > 1 else {}


def compare_distances(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The difference of the Fréchet distances of two models, B less A, over pairs of trainings with equal seeds.

    Args:
        a, b: of each training the distance's `value`, and `left_out`, the distances without each group of latents,
            which both models of a pair share.

    Returns:
        `value`, the mean difference; `standard_deviation` over the pairs, if there are several; `interval`; and
        `trainings`, the number of pairs.
    """
    pairs = [
        frechet.difference(y["value"], y["left_out"], x["value"], x["left_out"]) for x, y in zip(a, b, strict=True)
    ]
    differences = [difference for difference, _, _ in pairs]
    if len(pairs) == 1:
        mean, low, high = pairs[0]  # of the jackknife's t-distribution
    else:
        variance = float(np.mean([variance_of(low, high) for _, low, high in pairs]))
        mean, low, high = mean_difference(differences, variance, same_images=False)
    return {"value": mean, **_spread(differences), "interval": {"low": low, "high": high}, "trainings": len(pairs)}
