"""The validators against their papers, written out, and the benchmark of all of them."""

from __future__ import annotations

import importlib.util
import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from dlcv.adaptation import benchmark
from dlcv.adaptation.validators import (
    VALIDATORS,
    Seen,
    bnm,
    class_ami,
    class_shares,
    ensv,
    information,
    probabilities,
    snd,
    validate,
)

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(40, 10), scale=2).astype(np.float32)
CONFIDENT = (60 * np.eye(10)[np.arange(40) % 10]).astype(np.float32)
COLLAPSED = CONFIDENT[[0] * 40]
UNIFORM = np.zeros((40, 10), np.float32)


def seen(target_logits: np.ndarray, source_logits: np.ndarray = CONFIDENT) -> Seen:
    labels = np.arange(len(source_logits)) % 10
    return Seen(target_logits, RNG.normal(size=(40, 4)), source_logits, labels)


def test_bnm_is_the_sum_of_the_singular_values_over_its_maximum() -> None:
    p = probabilities(LOGITS)
    singular = np.sqrt(np.linalg.eigvalsh(p.T @ p).clip(0))
    assert bnm(LOGITS) == pytest.approx(singular.sum() / math.sqrt(40 * 10))
    corners = [bnm(logits) for logits in (CONFIDENT, COLLAPSED, UNIFORM)]
    assert corners == pytest.approx([1, math.sqrt(1 / 10), 1 / 10])


def test_snd_is_the_mean_entropy_of_the_soft_neighbours() -> None:
    p = probabilities(LOGITS)
    entropies = []
    for i in range(40):
        cosines = [p[i] @ p[j] / math.sqrt((p[i] @ p[i]) * (p[j] @ p[j])) for j in range(40) if j != i]
        weights = np.exp(np.array(cosines) / 0.05)
        weights /= weights.sum()
        entropies.append(-(weights * np.log(weights)).sum())
    assert snd(LOGITS) == pytest.approx(np.mean(entropies))
    # Four images of each class: three neighbours. All images of one class: all others.
    assert snd(CONFIDENT) == pytest.approx(math.log(3), abs=1e-5)
    assert snd(COLLAPSED) == snd(UNIFORM) == pytest.approx(math.log(39))


def adjusted_mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """By definition, with the expectation over all permutations of one labelling."""

    def entropy_of(*labels: np.ndarray) -> float:
        _, counts = np.unique(np.stack(labels), axis=1, return_counts=True)
        return float(-(counts / counts.sum() * np.log(counts / counts.sum())).sum())

    def mutual(x: np.ndarray, y: np.ndarray) -> float:
        return entropy_of(x) + entropy_of(y) - entropy_of(x, y)

    expected = np.mean([mutual(np.array(shuffled), b) for shuffled in permutations(a)])
    return (mutual(a, b) - expected) / ((entropy_of(a) + entropy_of(b)) / 2 - expected)


def test_class_ami_compares_predictions_with_clusters_of_the_features() -> None:
    clusters = np.array([0, 0, 0, 1, 1, 1])
    features = clusters[:, None] * 10 + RNG.normal(size=(6, 3), scale=0.1)
    predicted = np.array([0, 0, 1, 1, 1, 1])
    value = class_ami(np.eye(2)[predicted], features)
    assert value == pytest.approx(adjusted_mutual_information(predicted, clusters))
    assert class_ami(np.eye(2)[1 - clusters], features) == pytest.approx(1)
    assert class_ami(np.eye(2)[[0] * 6], features) == pytest.approx(0)
    # A large and a small cluster of each prediction: more clusters than classes would split them.
    assert class_ami(np.eye(2)[clusters], features + np.eye(6)[:, :3]) == pytest.approx(1)


def test_ensv_is_the_agreement_with_the_mean_of_all_candidates() -> None:
    # Two unsure votes for class 1 are outvoted by a sure one for class 0.
    sure, unsure = np.log([[0.9, 0.1]]), np.log([[0.45, 0.55]])
    ensemble = np.mean([[[0.9, 0.1]], [[0.45, 0.55]], [[0.45, 0.55]]], axis=0)
    assert (ensv(sure, ensemble), ensv(unsure, ensemble)) == (1, 0)
    values = validate({"a": seen(CONFIDENT), "b": seen(CONFIDENT), "c": seen(COLLAPSED)}, ["ensv"])
    assert values == {"a": {"ensv": 1.0}, "b": {"ensv": 1.0}, "c": {"ensv": 0.1}}
    # The mean is of probabilities: one large logit does not outvote two nearly sure predictions.
    votes = {"a": 30 * np.eye(10)[[0]], "b": 5 * np.eye(10)[[1]], "c": 5 * np.eye(10)[[1]]}
    values = validate({name: seen(logits) for name, logits in votes.items()}, ["ensv"])
    assert [values[name]["ensv"] for name in votes] == [0, 1, 1]


def test_class_shares_solve_the_equation_of_black_box_shift_estimation() -> None:
    confusion = 0.7 * np.eye(10) + 0.3 * RNG.dirichlet(np.ones(10), size=10)  # of each class: the mean prediction
    truth = RNG.dirichlet(np.full(10, 5.0))
    source = np.log(np.repeat(confusion, 3, axis=0))
    target = np.log(truth @ confusion)[None]
    labels = np.repeat(np.arange(10), 3)
    shares = class_shares(Seen(target, target, source, labels))
    expected = np.linalg.solve(confusion.T, truth @ confusion)
    assert expected == pytest.approx(truth)
    assert shares == pytest.approx(0.99 * truth + 0.001, abs=1e-6)
    # The equation has no solution on the simplex if the target looks surer than the source ever does.
    extreme = class_shares(Seen(CONFIDENT[:1], target, source, labels))
    assert extreme.argmax() == 0 and extreme.min() == pytest.approx(0.001) and extreme.sum() == pytest.approx(1)


def test_information_to_shares_is_minus_divergence_and_entropy() -> None:
    shares = RNG.dirichlet(np.ones(10))
    p = probabilities(LOGITS)
    mean = p.mean(0)
    divergence = (mean * np.log(mean / shares)).sum()
    entropy = -(p * np.log(p)).sum(1).mean()
    assert information(LOGITS, shares) == pytest.approx(-divergence - entropy)
    uniform = np.full(10, 0.1)
    assert information(LOGITS, uniform) == pytest.approx(information(LOGITS) - math.log(10))
    # Predictions with the shares, each certain: nothing is better, even if they are not uniform.
    uneven = CONFIDENT[[0] * 20 + [1] * 20 + list(range(2, 10))]
    counts = np.bincount(uneven.argmax(1)) / len(uneven)
    assert information(uneven, counts) == pytest.approx(0, abs=1e-6)
    assert information(CONFIDENT, counts) < -0.1


def accuracies_of(candidates: int) -> tuple[dict[str, Seen], dict[str, float]]:
    """Candidates that are the less confident, the more accurate they are."""
    named = {f"{index:02d}": seen(CONFIDENT / (10 + index), CONFIDENT) for index in range(candidates)}
    return named, {name: int(name) / 20 for name in named}


def test_the_benchmark_has_rank_correlation_and_regret() -> None:
    ranked = benchmark.rank(*accuracies_of(9))
    assert (ranked["candidates"], ranked["oracle"]) == (9, {"training": "08", "accuracy": 0.4})
    assert set(ranked["scores"]) == set(VALIDATORS) and set(ranked["values"]["00"]) == {*VALIDATORS, "accuracy"}
    by_entropy = ranked["scores"]["entropy"]
    assert by_entropy == {"spearman": pytest.approx(-1), "chosen": "00", "accuracy": 0.0, "regret": 0.4}
    assert ranked["scores"]["source_accuracy"]["spearman"] is None  # all equal
    assert benchmark.rank(*accuracies_of(8))["scores"]["entropy"]["spearman"] is None


def test_the_correlation_is_of_ranks() -> None:
    values = list(RNG.normal(size=12))
    accuracies = list(RNG.random(12))
    ranks = [np.argsort(np.argsort(one)) for one in (values, accuracies)]
    difference = float(((ranks[0] - ranks[1]) ** 2).sum())
    assert benchmark.correlation(values, accuracies) == pytest.approx(1 - 6 * difference / (12 * (144 - 1)))
    assert benchmark.correlation(list(np.exp(values)), accuracies) == benchmark.correlation(values, accuracies)


def test_labels_of_the_target_reach_only_the_oracle_and_the_accuracies() -> None:
    candidates, accuracies = accuracies_of(9)
    ranked = benchmark.rank(candidates, accuracies)
    other = benchmark.rank(candidates, {name: 1 - value for name, value in accuracies.items()})
    for name, values in ranked["scores"].items():
        assert other["scores"][name]["chosen"] == values["chosen"]
    assert other["oracle"]["training"] != ranked["oracle"]["training"]


def test_the_table_over_scenarios_is_printed_from_what_is_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(__file__).parents[2] / "benchmarks/validators.py"
    spec = importlib.util.spec_from_file_location("validators_table", path)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    with pytest.raises(SystemExit, match="has no evaluation"):
        script.main(tmp_path)
    for scenario, count in (("usps-mnistm", 9), ("svhn-usps", 3)):
        candidates, accuracies = accuracies_of(count)
        named = {f"{scenario}/dann-{name}": one for name, one in candidates.items()}
        known = {f"{scenario}/dann-{name}": value for name, value in accuracies.items()}
        benchmark.write(tmp_path / f"{scenario}-evaluation" / "seen", named, known)
        assert benchmark.read(tmp_path / f"{scenario}-evaluation" / "seen")[1] == known
    script.main(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "Scenarios (candidates): svhn-usps (3), usps-mnistm (9)"
    (entropy,) = [line for line in lines if line.startswith("| entropy |")]
    assert entropy == "| entropy | -1.00 | 1 | 0.2500 | 0.4000 |"
