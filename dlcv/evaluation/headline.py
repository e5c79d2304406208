"""The headline scores in `metrics/`: few, flat and rounded, for `dvc metrics show` and `dvc metrics diff`.

Every row of a table has a JSON file of its own, and all files share the keys of `SCORES`. Full precision, intervals and
everything else is in `out/`: `headline.json`, which `dlcv review` reads, and `summary.json`, which the report reads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcv.evaluation.summary import summarise
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.summaries import HEADLINE, METRICS

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


def of_images(scores: Mapping[str, Any]) -> dict[str, Any]:
    """The headline scores among the scores of the images of one training, as `write` takes them."""
    everything = {**scores, **scores.get("dlib_face", {})}
    own = {key: score for key, score in everything.items() if key in SCORES}
    if "digit_accuracy" in everything:
        own["accuracy"] = everything["digit_accuracy"]
    for key, score in everything.items():
        if key.startswith("frechet_") and key not in SCORES and not key.endswith("_to_validation"):
            own["frechet"] = score
    return own


def of_seeds(seeds: Sequence[int], trainings: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """`of_images` of each training, by its seed."""
    return {seed: of_images(scores) for seed, scores in zip(seeds, trainings, strict=True)}


def write(
    path: Path,
    folder: Path,
    rows: Mapping[str, Mapping[int, Mapping[str, Any]]],
    *,
    same_images: bool = False,
) -> None:
    """Write the headline scores of several rows: rounded to `path`, with all that a comparison needs to `folder`.

    Args:
        path: a folder in `metrics/`, for a file of each row, or the file of the only row. The folder is replaced.
        folder: for `headline.json`: by row (its path in `metrics/`) and score, what `summarise` gives, and `trainings`,
            the score of each.
        rows: by the row's name and the seed of a training, its scores by a key of `SCORES`: `value` or `accuracy`, and
            perhaps `interval`, and `left_out` or `outcomes`, which pair it with another training.
        same_images: whether all trainings are scored on the same images.
    """
    summaries = {row: summarise(list(each.values()), same_images=same_images) for row, each in rows.items()}
    if path.suffix:
        write_json(path, _rounded(*summaries.values()))
    else:
        with replacing(path) as temporary:
            temporary.mkdir(parents=True)
            for row, summary in summaries.items():
                write_json(temporary / f"{row}.json", _rounded(summary))
    details = {
        (path if path.suffix else path / row).relative_to(METRICS).with_suffix("").as_posix(): {
            key: {
                **summary[key],
                "trainings": [{"seed": seed, **one[key]} for seed, one in rows[row].items()],
            }
            for key in SCORES
            if key in summary
        }
        for row, summary in summaries.items()
    }
    write_json(folder / HEADLINE, details)


def _rounded(summary: Mapping[str, Any]) -> dict[str, float]:
    assert summary.keys() <= SCORES.keys()
    return {key: rounded(summary[key]) for key in SCORES if key in summary}


def rounded(score: Mapping[str, Any]) -> float:
    """The value of a score to two significant digits of half its interval; without an interval, to two of its own."""
    value = float(score["value"] if "value" in score else score["accuracy"])
    ends = score.get("interval")
    half = (ends["high"] - ends["low"]) / 2 if ends else 0.0
    if half > 0:
        return round(value, DIGITS - 1 - math.floor(math.log10(half)))
    return float(f"{value:.2g}")
