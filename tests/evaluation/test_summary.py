"""Scores over trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlcv.evaluation.summary import compare_distances, read_scores, summarise
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import write_json


def scores(distance: float, share: float) -> dict[str, Any]:
    interval = {"low": distance - 2, "high": distance + 2}
    return {
        "distance": {"value": distance, "interval": interval, "left_out": [distance - 1, distance + 1]},
        "face_score": {"value": share, "interval": {"low": share - 0.1, "high": min(1.0, share + 0.1)}},
        "recall": share / 2,
        "kid": {"value": 0.01, "standard_deviation": 0.5, "subsets": 50},
        "digits": {"7": {"accuracy": share, "interval": {"low": 0.1, "high": 0.9}}},
        "confusion": [[1]],
        "name": "a",
    }


def test_one_training_keeps_its_scores_and_the_intervals_of_its_images() -> None:
    assert summarise([scores(50.0, 0.9)]) == {
        "distance": {"value": 50.0, "interval": {"low": 48.0, "high": 52.0}},
        "face_score": {"value": 0.9, "interval": {"low": 0.8, "high": 1.0}},
        "recall": {"value": 0.45},
        "kid": {"value": 0.01},
        "digits": {"7": {"value": 0.9, "interval": {"low": 0.1, "high": 0.9}}},
    }


def test_several_trainings_give_mean_deviation_and_the_interval_of_a_new_one() -> None:
    summary = summarise([scores(50.0, 0.9), scores(54.0, 0.7), scores(52.0, 0.8)])
    distance = summary["distance"]
    assert (distance["value"], distance["standard_deviation"]) == (52.0, pytest.approx(2.0))
    # 2 x 4.303 x sqrt(4/3), see test_trainings.py.
    assert distance["interval"] == {
        "low": pytest.approx(52 - 9.936, abs=0.01),
        "high": pytest.approx(52 + 9.936, abs=0.01),
    }
    assert summary["recall"] == {"value": pytest.approx(0.4), "standard_deviation": pytest.approx(0.05)}
    assert summary["kid"] == {"value": pytest.approx(0.01), "standard_deviation": 0.0}
    # A share stays in [0, 1], a distance above 0.
    assert summary["face_score"]["interval"]["high"] == 1.0
    assert summarise([scores(1.0, 0.9), scores(54.0, 0.7)])["distance"]["interval"]["low"] == 0.0


def test_on_the_same_images_their_variance_is_added() -> None:
    each = [scores(50.0, 0.9), scores(54.0, 0.7), scores(52.0, 0.8)]
    own, same = (summarise(each, same_images=same)["distance"]["interval"] for same in (False, True))
    assert same["low"] < own["low"] and same["high"] > own["high"]


def test_pairs_of_trainings_are_compared() -> None:
    def distance(value: float) -> dict[str, Any]:
        return {"value": value, "left_out": [value - 1, value + 1, value]}

    a, b = [distance(50.0), distance(60.0), distance(40.0)], [distance(55.0), distance(63.0), distance(47.0)]
    compared = compare_distances(a, b)
    assert (compared["value"], compared["trainings"]) == (5.0, 3)
    assert compared["standard_deviation"] == pytest.approx(2.0)  # though the distances differ by 10
    assert compared["interval"]["high"] == pytest.approx(5 + 4.3027 * 2 / 3**0.5, abs=0.01)
    alone = compare_distances(a[:1], [{"value": 55.0, "left_out": [53.0, 57.0, 55.0]}])
    assert alone["trainings"] == 1 and "standard_deviation" not in alone
    assert alone["interval"]["low"] < 5 < alone["interval"]["high"]


def test_scores_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    for content in (None, "{", "{}"):
        if content is not None:
            (tmp_path / "scores.json").write_text(content)
        with pytest.raises(UserError, match="scores.json has no scores; `dvc repro` makes it"):
            read_scores(tmp_path)
    write_json(tmp_path / "scores.json", {"scores": 1, "protocol": 2, "training": 3, "other": 4})
    assert read_scores(tmp_path) == {"scores": 1, "protocol": 2, "training": 3}
