"""Scores over trainings: means, deviations, intervals, and differences of two models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.metrics.trainings import mean_difference, new_training, variance_of
from dlcv.evaluation.summary import compare_distances, read_scores, summarise
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import write_json


def ends(low: float, high: float) -> dict[str, float]:
    return {"low": low, "high": high}


FIRST: dict[str, Any] = {
    "coverage": 0.4,
    "units": 12,
    "frechet": {"value": 0.8, "interval": ends(0.7, 1.0), "left_out": [0.8, 0.9]},
    "kid": {"value": 0.1, "standard_deviation": 0.05, "subsets": 3},
    "digits": {"0": {"accuracy": 0.9, "interval": ends(0.7, 0.95)}},
    "confusion": [[9, 1], [0, 10]],
    "attribute": "Male",
    "probe": None,
}
SECOND: dict[str, Any] = FIRST | {
    "coverage": 0.6,
    "units": 15,
    "frechet": {"value": 0.6, "interval": ends(0.5, 0.7), "left_out": [0.6, 0.6]},
    "digits": {"0": {"accuracy": 1.0, "interval": ends(0.8, 1.0)}},
}


def test_one_training_keeps_its_scores_and_intervals() -> None:
    assert summarise([FIRST]) == {
        "coverage": {"value": 0.4},
        "units": {"value": 12.0},
        "frechet": {"value": 0.8, "interval": ends(0.7, 1.0)},
        "kid": {"value": 0.1},
        "digits": {"0": {"value": 0.9, "interval": ends(0.7, 0.95)}},
    }


@pytest.mark.parametrize("same_images", [False, True])
def test_several_trainings_have_means_deviations_and_the_interval_of_a_new_one(same_images: bool) -> None:
    summary = summarise([FIRST, SECOND], same_images=same_images)
    deviation = np.std([0.4, 0.6], ddof=1)
    assert summary["coverage"] == {"value": 0.5, "standard_deviation": pytest.approx(deviation)}
    assert summary["units"]["value"] == 13.5
    assert summary["kid"] == {"value": 0.1, "standard_deviation": 0.0}
    variance = (variance_of(0.7, 1.0) + variance_of(0.5, 0.7)) / 2
    mean, _, high = new_training([0.8, 0.6], variance, same_images=same_images)
    # No distance is below 0 and no share above 1; a distance may be above 1, also where those of the trainings are not.
    assert high > 1
    assert summary["frechet"] == {
        "value": pytest.approx(mean),
        "standard_deviation": pytest.approx(deviation),
        "interval": {"low": 0.0, "high": pytest.approx(high)},
    }
    assert summary["digits"]["0"]["interval"] == ends(0.0, 1.0)


def test_a_difference_of_one_pair_is_that_of_its_latents() -> None:
    a = {"value": 5.0, "left_out": [4.9, 5.2, 5.0, 5.1]}
    b = {"value": 6.0, "left_out": [5.9, 6.1, 6.2, 6.0]}
    value, low, high = frechet.difference(6.0, b["left_out"], 5.0, a["left_out"])
    assert compare_distances([a], [b]) == {"value": value, "interval": ends(low, high), "trainings": 1}


def test_a_difference_that_changes_its_sign_with_the_seed_is_no_verdict() -> None:
    def pairs(*differences: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        left_out = np.array([4.9, 5.2, 5.0, 5.1])
        a = [{"value": 5.0, "left_out": left_out.tolist()} for _ in differences]
        b = [{"value": 5 + d, "left_out": (left_out + d + [0.01, 0, 0, -0.01]).tolist()} for d in differences]
        return a, b

    for sign in (1, -1):
        assert all(sign * end > 0 for end in compare_distances(*pairs(sign * 1.0))["interval"].values())
    changing = compare_distances(*pairs(1.0, -1.0, 0.9))
    assert changing["interval"]["low"] < 0 < changing["interval"]["high"] and changing["trainings"] == 3
    assert changing["value"] == pytest.approx(0.3)
    assert changing["standard_deviation"] == pytest.approx(np.std([1.0, -1.0, 0.9], ddof=1))
    same = compare_distances(*pairs(1.0, 1.1, 0.9))
    _, low, high = mean_difference([1.0, 1.1, 0.9], 0.0, same_images=False)
    assert same["interval"] == pytest.approx(ends(low, high)) and low > 0


def test_scores_are_read_from_the_folder_of_an_evaluation(tmp_path: Path) -> None:
    known = {"scores": {"coverage": 0.5}, "protocol": {"images": 10}, "training": {"name": "vae-0"}}
    path = tmp_path / "scores.json"
    message = f"{path} has no scores; `dvc repro` makes it, `dvc pull` fetches it"
    for content in (None, "{", '{"scores": {}}'):
        if content is not None:
            path.write_text(content)
        with pytest.raises(UserError) as error:
            read_scores(tmp_path)
        assert str(error.value) == message
    write_json(path, {**known, "table": {}})
    assert read_scores(tmp_path) == known
