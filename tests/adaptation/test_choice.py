"""The choice without labels, scores over seeds, and what sections refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dlcv.adaptation.config import Adaptation, Dann
from dlcv.adaptation.scores import Judged, choose, gain, score
from dlcv.adaptation.tasks import Domain
from dlcv.adaptation.trained import Answers
from dlcv.adaptation.validators import choice, signs
from dlcv.adaptation.variants import with_variant
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError

LABELS = np.arange(200) % 10
SET = Domain("usps", {}, np.zeros((200, 28, 28, 3), np.uint8), LABELS)


def answers(right: float, seed: int = 0) -> Answers:
    rng = np.random.default_rng(seed)
    digits = np.where(rng.random(200) < right, LABELS, (LABELS + 1) % 10)
    return Answers((10 * np.eye(10)[digits]).astype(np.float32), None, rng.normal(size=(200, 4)).astype(np.float32))


def judged(right: float, seed: int = 0) -> Judged:
    return Judged({"seed": seed}, answers(1.0), answers(right, seed), {})


def test_signs_prefer_what_is_sure_and_diverse() -> None:
    sure = 50 * np.eye(10)
    values = {
        name: signs(answers(1.0), SET, logits)
        for name, logits in {"sure": sure, "unsure": np.zeros((10, 10)), "collapsed": sure[[0] * 10]}.items()
    }
    assert values["sure"]["information"] == pytest.approx(math.log(10), abs=1e-6)
    assert values["collapsed"]["information"] == pytest.approx(0, abs=1e-6)
    assert values["unsure"]["entropy"] == pytest.approx(-math.log(10))
    assert values["sure"]["source_accuracy"] == 1


def test_the_choice_does_not_depend_on_the_targets_labels() -> None:
    candidates = {
        "a": {"information": 2.0, "entropy": -0.5, "source_accuracy": 0.9},
        "b": {"information": 1.0, "entropy": -0.1, "source_accuracy": 0.8},
    }
    for accuracies in ({"a": 0.1, "b": 0.9}, {"a": 0.9, "b": 0.1}):
        made = choice(candidates, "information", accuracies)
        assert made["chosen"] == {"training": "a", "accuracy": accuracies["a"]}
        assert made["oracle"]["accuracy"] == 0.9 and made["tried"] == 2
        assert choice(candidates, "entropy", accuracies)["chosen"]["training"] == "b"


NAMES = [("a", "x"), ("b", "y"), ("c", "x")]


def test_networks_with_the_same_weights_are_one_candidate() -> None:
    signs_of = {"information": 1.0, "entropy": -0.1, "source_accuracy": 0.8}
    judged = [Judged({"name": name, "sha256": sha}, answers(1.0), answers(0.5), signs_of) for name, sha in NAMES]
    assert list(choose(judged, SET, "information")["candidates"]) == ["a", "b"]


def test_scores_are_means_over_the_seeds() -> None:
    both = [judged(0.8, 0), judged(0.6, 1)]
    values = score(both, SET, SET, seed=0)
    each = [float((one.on_target.digits == LABELS).mean()) for one in both]
    assert values["accuracy"] == pytest.approx(np.mean(each))
    assert values["standard_deviation"] == pytest.approx(np.std(each, ddof=1))
    assert values["seeds"] == {"0": each[0], "1": each[1]}
    assert values["interval"]["low"] < values["accuracy"] < values["interval"]["high"]
    assert np.sum(values["confusion"]) == 400
    assert "standard_deviation" not in score(both[:1], SET, SET, seed=0)
    gained = gain(both, [judged(0.5, 0), judged(0.5, 1)], SET, seed=0)
    assert gained["interval"]["low"] <= gained["over_trained_on_source"] <= gained["interval"]["high"]


def test_a_variant_changes_what_it_names(study: Any) -> None:
    params = load()
    changed = with_variant("wide", params)
    assert (changed[Adaptation].network, changed[Adaptation].training.schedule) == ("wide", "restarts")
    assert changed[Adaptation].training.steps == params[Adaptation].comparison.steps
    assert changed[Dann] == params[Dann]
    assert with_variant("deep-5", params)[Adaptation].networks.deep.poolings == 5
    assert with_variant("alternating", params)[Dann].update == "alternating"
    assert with_variant("paper", params)[Dann].lambda_ == 1.0
    with pytest.raises(UserError, match="no variant depp; did you mean deep"):
        with_variant("depp", params)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"adaptation.methods.gta": ["usps-svhn"]}, "methods.gta names usps-svhn, which scenarios does not have"),
        ({"adaptation.methods.dann": ["mnistm-usps"]}, "no list of methods has the scenario mnistm-svhn"),
        ({"adaptation.seeds": [0, 0]}, "seeds names something twice"),
        ({"adaptation.comparison.variants": ["depp"]}, "comparison.variants names depp"),
        ({"adaptation.networks.deep.poolings": 3}, "adaptation.networks.deep.poolings"),
        ({"dann.update": "both"}, "dann.update"),
    ],
)
def test_what_sections_refuse(set_params: Any, values: dict[str, Any], message: str) -> None:
    set_params(values)
    with pytest.raises(UserError, match=message):
        load()
