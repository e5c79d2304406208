"""The choice without labels, scores over seeds, and the checks of the sections."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from dlcv.adaptation.config import Adaptation, Dann
from dlcv.adaptation.predict import Predictions
from dlcv.adaptation.scores import Evaluated, choose, gain, score
from dlcv.adaptation.trainings import Domain, Task, baseline_of, task_of
from dlcv.adaptation.validators import Seen, choice, entropy, information
from dlcv.evaluation.metrics.intervals import paired_bootstrap, wilson
from dlcv.runtime.config import Params, load
from dlcv.runtime.errors import UserError

pytestmark = pytest.mark.slow


LABELS = np.arange(200) % 10
SET = Domain("usps", {}, np.zeros((200, 28, 28, 3), np.uint8), LABELS)


def predictions(accuracy: float, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    digits = np.where(rng.random(200) < accuracy, LABELS, (LABELS + 1) % 10)
    return Predictions((10 * np.eye(10)[digits]).astype(np.float32), None, rng.normal(size=(200, 4)).astype(np.float32))


def network(accuracy: float, seed: int = 0) -> Evaluated:
    return evaluated({"seed": seed}, predictions(accuracy, seed))


def evaluated(about: dict[str, Any], target: Predictions) -> Evaluated:
    on_source = predictions(1.0)
    return Evaluated(about, on_source, target, Seen(target.logits, target.features, on_source.logits, LABELS))


def test_validators_prefer_confident_and_diverse_predictions() -> None:
    confident = 50 * np.eye(10)
    assert information(confident) == pytest.approx(math.log(10), abs=1e-6)
    assert information(confident[[0] * 10]) == pytest.approx(0, abs=1e-6)
    assert information(np.zeros((10, 10))) == pytest.approx(0, abs=1e-6)
    assert entropy(np.zeros((10, 10))) == pytest.approx(-math.log(10))


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
    networks = [evaluated({"name": name, "sha256": sha}, predictions(0.5)) for name, sha in NAMES]
    candidates = choose(networks, SET, "bnm")["candidates"]
    assert list(candidates) == ["a", "b"]
    assert set(candidates["a"]) == {"information", "entropy", "source_accuracy", "bnm", "accuracy"}
    assert candidates["a"]["source_accuracy"] == 1 and candidates["a"]["accuracy"] == pytest.approx(0.5, abs=0.1)


def test_scores_are_means_over_the_seeds() -> None:
    both = [network(0.8, 0), network(0.6, 1)]
    values = score(both, SET, SET, seed=0)
    each = [float((one.target.digits == LABELS).mean()) for one in both]
    assert values["accuracy"] == pytest.approx(np.mean(each))
    assert values["standard_deviation"] == pytest.approx(np.std(each, ddof=1))
    assert values["seeds"] == {"0": each[0], "1": each[1]}
    assert values["interval"]["low"] < values["accuracy"] < values["interval"]["high"]
    assert np.sum(values["confusion"]) == 400
    # From one seed the interval is Wilson's; the trainings differ by more than their images explain.
    alone = [score([one], SET, SET, seed=0) for one in both]
    for one, accuracy in zip(alone, each, strict=True):
        assert "standard_deviation" not in one
        assert tuple(one["interval"].values()) == wilson(round(200 * accuracy), 200)
    assert width(values) > 2 * max(width(one) for one in alone)


def width(scores: dict[str, Any]) -> float:
    """Of the interval."""
    return float(scores["interval"]["high"] - scores["interval"]["low"])


def test_gains_are_means_over_pairs_of_equal_seeds() -> None:
    ours, baselines = [network(0.8, 0), network(0.6, 1)], [network(0.5, 0), network(0.5, 1)]
    gained = gain(ours, baselines, SET, seed=0)
    each = [gain([one], [other], SET, seed=0) for one, other in zip(ours, baselines, strict=True)]
    points = [one["over_trained_on_source"] for one in each]
    assert gained["over_trained_on_source"] == pytest.approx(np.mean(points))
    assert gained["seeds"] == {"0": points[0], "1": points[1]}
    assert gained["interval"]["low"] <= gained["over_trained_on_source"] <= gained["interval"]["high"]
    assert width(gained) > 2 * max(width(one) for one in each)
    # The bootstrap of one pair, not its normal approximation.
    correct = [one.target.digits == LABELS for one in (ours[0], baselines[0])]
    assert tuple(each[0]["interval"].values()) == paired_bootstrap(*correct, seed=0)[1:]
    # The difference of two trainings that agree in every seed is known as well as the images allow.
    same = gain([ours[0]] * 2, [baselines[0]] * 2, SET, seed=0)
    assert width(same) == pytest.approx(width(each[0]), rel=0.1)


def with_variant(name: str) -> Params:
    return Task("dann", "usps-mnistm", 0, name).params(load())


def test_a_variant_changes_what_it_names(study: Any) -> None:
    params, changed = load(), with_variant("wide")
    assert (changed[Adaptation].network, changed[Adaptation].training.schedule) == ("wide", "restarts")
    assert changed[Adaptation].training.steps == params[Adaptation].comparison.steps
    assert changed[Dann] == params[Dann]
    assert with_variant("deep-5")[Adaptation].networks.deep.poolings == 5
    assert with_variant("mish-shallow")[Adaptation].networks.mish.hidden == [128]
    assert with_variant("alternating")[Dann].update == "alternating"
    assert with_variant("paper")[Dann].lambda_ == 1.0


def test_a_command_names_a_training_by_method_variant_and_seed(domains: Any, set_params: Any) -> None:
    set_params({"adaptation.seeds": [2, 0], "adaptation.comparison.seeds": [3, 4]})
    set_params({"adaptation.comparison.baselines": ["lenet", "deep", "wide", "mish"]})
    params = load()
    for variant, seed, expected in ((None, None, 2), ("deep", None, 3), ("deep", 4, 4), (None, 9, 9)):
        task = task_of("dann", "usps-mnistm", params, seed, variant)
        assert task == Task("dann", "usps-mnistm", expected, variant)
        own = "dann" if variant is None else "variants/deep"
        assert task.folder.as_posix() == f"out/adaptation/usps-mnistm/{own}-{expected}"
    with pytest.raises(UserError, match="no variant depp; did you mean deep"):
        task_of("dann", "usps-mnistm", params, variant="depp")
    with pytest.raises(UserError, match="gta has no variants; use --variant with dann or supervised"):
        task_of("gta", "usps-mnistm", params, variant="deep")


def test_the_baseline_of_a_variant_has_equal_settings(domains: Any, set_params: Any) -> None:
    def baseline(variant: str) -> Task:
        return baseline_of(Task("dann", "usps-mnistm", 0, variant), load())

    assert baseline("wide") == Task("supervised", "usps", 0, "wide")
    # Their updates differ from that of `lenet`, which no source-only training reads.
    assert baseline("paper") == baseline("alternating") == Task("supervised", "usps", 0, "lenet")
    # With the steps of every training, the scenario's own source-only training has these settings.
    baselines = {"adaptation.comparison.baselines": ["deep", "wide", "mish"]}
    set_params({**baselines, "adaptation.comparison.steps": 400})
    assert baseline("paper") == Task("supervised", "usps", 0)
    set_params({"adaptation.seeds": [0, 1], "adaptation.comparison.seeds": [1]})
    assert baseline("paper") == Task("supervised", "usps", 0)
    set_params({"adaptation.comparison.seeds": [1, 2]})
    with pytest.raises(UserError, match="variant lenet has no source-only baseline of equal settings and seeds; add"):
        load()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"adaptation.methods.gta": ["usps-svhn"]}, "methods.gta names usps-svhn, which scenarios does not have"),
        ({"adaptation.methods.dann": ["mnistm-usps"]}, "no list of methods has the scenario mnistm-svhn"),
        ({"adaptation.methods.gan": []}, "methods names gan, which dlcv.adaptation.config.METHODS does not have"),
        ({"adaptation.baselines.selftraining": ["svhn"]}, r"baselines.selftraining has to be .* \['usps'\], not"),
        ({"adaptation.comparison.networks": ["depp"]}, "comparison.networks names depp"),
        ({"adaptation.comparison.networks": ["paper"]}, "variant paper has a section dann; list it in .*updates"),
        ({"adaptation.comparison.updates": ["wide"]}, "variant wide lacks a section dann; list it in .*networks"),
        ({"adaptation.comparison.baselines": ["deep"]}, "variant lenet has no source-only baseline"),
        ({"adaptation.networks.deep.poolings": 3}, "adaptation.networks.deep.poolings"),
        ({"adaptation.network": "lennet"}, "adaptation.network: there is no lennet; did you mean lenet"),
        ({"adaptation.validator": "informatoin"}, "adaptation.validator: .*did you mean information"),
        ({"dann.update": "both"}, "dann.update"),
        ({"dann.class_shares": "even"}, "dann.class_shares"),
    ],
)
def test_what_sections_refuse(set_params: Any, values: dict[str, Any], message: str) -> None:
    set_params(values)
    with pytest.raises(UserError, match=message):
        load()
