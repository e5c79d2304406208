"""The benchmark of the validators: how well each ranks the trainings of a scenario, and what its choice costs.

The candidates are all trainings of the scenario but those with labels of the target: methods, baselines and variants,
each with every seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from dlcv.adaptation.validators import VALIDATORS, Seen, validate

CORRELATED = 9  # candidates; a correlation over fewer is not given
ARRAYS = list(Seen.__dataclass_fields__)


def rank(candidates: Mapping[str, Seen], accuracies: Mapping[str, float]) -> dict[str, Any]:
    """Every validator against the accuracy on the target.

    Args:
        candidates: by name of the training.
        accuracies: of each training on the target's validation images, by the same names.

    Returns:
        `candidates`, their number; `oracle`, the training that labels of the target would choose, and its accuracy;
        `scores` of each validator: Spearman's rank correlation of its values and the accuracies (None over fewer than
        9 candidates and for equal values), the training that it chooses, its accuracy, and the regret: the oracle's
        accuracy minus this; `values` of each training: those of the validators, and its accuracy.
    """
    values = validate(dict(sorted(candidates.items())))  # of equal values, the first by name is chosen
    oracle = max(values, key=lambda training: accuracies[training])
    scores = {}
    for name in VALIDATORS:
        of_training = {training: one[name] for training, one in values.items()}
        chosen = max(of_training, key=of_training.__getitem__)
        scores[name] = {
            "spearman": correlation(list(of_training.values()), [accuracies[training] for training in of_training]),
            "chosen": chosen,
            "accuracy": accuracies[chosen],
            "regret": accuracies[oracle] - accuracies[chosen],
        }
    return {
        "candidates": len(candidates),
        "oracle": {"training": oracle, "accuracy": accuracies[oracle]},
        "scores": scores,
        "values": {training: {**one, "accuracy": accuracies[training]} for training, one in values.items()},
    }


def correlation(values: list[float], accuracies: list[float]) -> float | None:
    """Spearman's rank correlation; None for too few candidates, and where one of the two is constant."""
    if len(values) < CORRELATED or len(set(values)) == 1 or len(set(accuracies)) == 1:
        return None
    return float(spearmanr(values, accuracies).statistic)


def write(folder: Path, candidates: Mapping[str, Seen], accuracies: Mapping[str, float]) -> None:
    """Write what `rank` needs as `folder/TRAINING.npz`: the arrays of `Seen`, and `accuracy`."""
    for training, seen in candidates.items():
        path = folder / f"{training}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{name: getattr(seen, name) for name in ARRAYS}, accuracy=accuracies[training])


def read(folder: Path) -> tuple[dict[str, Seen], dict[str, float]]:
    """The candidates and accuracies that `write` has written into `folder`, in the order of names."""
    candidates, accuracies = {}, {}
    for path in sorted(folder.rglob("*.npz")):
        training = path.relative_to(folder).with_suffix("").as_posix()
        with np.load(path) as arrays:
            candidates[training] = Seen(*(arrays[name] for name in ARRAYS))
            accuracies[training] = float(arrays["accuracy"])
    return candidates, accuracies
