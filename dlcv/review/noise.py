"""The change of a score between two versions of a study, and whether it exceeds the noise.

Noise is that of the images that were scored and that of training. The first cancels out in part where both versions
have the same images, or images from the same latents. The second is estimated from pairs of trainings with equal
seeds, three or more; from fewer it is a known standard deviation, or it is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.metrics.classification import unpack
from dlcv.evaluation.metrics.trainings import mean_difference, variance_of

PAIRS = 3  # of trainings with equal seeds, that tell the noise of training
Z = float(ndtri(0.975))


@dataclass(frozen=True)
class Change:
    """A change with its 95 % interval, and the noise that this interval holds."""

    before: float
    after: float
    value: float
    interval: tuple[float, float] | None  # none where nothing is known of the noise
    noise: str

    @property
    def exceeds(self) -> bool:
        """Whether the interval excludes 0; False without one."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def change(before: Mapping[str, Any], after: Mapping[str, Any], training_std: float | None) -> Change:
    """The change of one headline score.

    Args:
        before, after: of `headline.json`: `value`, and `trainings` with `seed`, `value` or `accuracy`, and perhaps
            `interval`, `left_out`, `outcomes`. Without `trainings` in `before`, its images have the noise of `after`.
        training_std: the standard deviation of the score over trainings, used for fewer than `PAIRS` pairs.
    """
    old, new = (list(side.get("trainings", [])) for side in (before, after))
    pairs = [(a, b) for a in old for b in new if a["seed"] == b["seed"]]
    if len(pairs) >= PAIRS:
        mean, low, high = _of_pairs(pairs)
        return Change(before["value"], after["value"], mean, (low, high), f"{len(pairs)} pairs of trainings")
    if not old:  # only the rounded value is known
        old = [{"interval": one["interval"]} for one in new if "interval" in one]
    value = after["value"] - before["value"]
    variances = [_over_images(a, b) for a, b in pairs or zip(old, new, strict=False)]
    known = [variance for variance in variances if variance is not None]
    variance, noise = (float(np.mean(known)) / len(known), ["images"]) if known else (0.0, [])
    if training_std is not None and old and new:
        variance += training_std**2 * (1 / len(old) + 1 / len(new))
        noise.append(f"trainings ({training_std:g} of one)")
    half = Z * math.sqrt(variance)
    interval = (value - half, value + half) if noise else None
    return Change(before["value"], after["value"], value, interval, " and ".join(noise) or "not known")


def _of_pairs(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> tuple[float, float, float]:
    """The mean difference over pairs of trainings, and its interval."""
    differences = [_value(b) - _value(a) for a, b in pairs]
    if all("outcomes" in one for pair in pairs for one in pair):
        of_images = np.mean([_outcomes(a, b) for a, b in pairs], axis=0)
        return mean_difference(differences, float(of_images.var(ddof=1)) / len(of_images), same_images=True)
    variances = [_over_images(a, b) or 0.0 for a, b in pairs]
    return mean_difference(differences, float(np.mean(variances)), same_images=False)


def _value(score: Mapping[str, Any]) -> float:
    return float(score["value"] if "value" in score else score["accuracy"])


def _outcomes(a: Mapping[str, Any], b: Mapping[str, Any]) -> np.ndarray:
    """By image, 1 where only B is right, -1 where only A is."""
    difference: np.ndarray = unpack(b["outcomes"]).astype(float) - unpack(a["outcomes"])
    return difference


def _over_images(a: Mapping[str, Any], b: Mapping[str, Any]) -> float | None:
    """The variance of the difference over images, paired where that is possible; None where it is not known."""
    if "interval" not in a or "interval" not in b:
        return None
    if "outcomes" in a and len(a["outcomes"]) == len(b.get("outcomes", "")):
        difference = _outcomes(a, b)
        return float(difference.var(ddof=1)) / len(difference)
    if "left_out" in a and len(a["left_out"]) == len(b.get("left_out", [])):
        _, low, high = frechet.difference(b["value"], b["left_out"], a["value"], a["left_out"])
        return variance_of(low, high)
    return sum(variance_of(one["interval"]["low"], one["interval"]["high"]) for one in (a, b))
