"""DANN's step against the paper."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from dlcv.adaptation.dann import DANN, build, information, strength
from dlcv.adaptation.networks import lenet
from dlcv.adaptation.sections import Adaptation
from dlcv.params import load


@pytest.mark.parametrize(
    ("progress", "expected"), [(0, 0), (0.1, 0.46212), (0.25, 0.84828), (0.5, 0.98661), (0.75, 0.99889), (1, 0.99991)]
)
def test_strength_is_the_papers(progress: float, expected: float) -> None:
    assert strength(progress, 1.0, 10.0) == pytest.approx(expected, abs=5e-6)
    assert strength(progress, 0.3, 10.0) == pytest.approx(0.3 * expected, abs=5e-6)


def batch(labels_of_target: int = 0) -> dict[str, tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.rand(16, 3, 28, 28, generator=generator) * 2 - 1 for _ in range(2))
    return {"source": (source, torch.arange(16) % 10), "target": (target * 0.2, torch.full((16,), labels_of_target))}


def method(set_params: Any, **values: Any) -> DANN:
    set_params({f"dann.{key}": value for key, value in values.items()})
    params = load()
    torch.manual_seed(0)
    return build(lenet(0.5, params[Adaptation].training.instance_norm), params)


def step(dann: DANN, data: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return dann.step(data, 1.0, torch.Tensor.backward)


def test_the_targets_labels_are_not_read(set_params: Any) -> None:
    results = []
    for poison in (0, -1):
        dann = method(set_params)
        values = step(dann, batch(poison))
        results.append((values, dann.networks["network"].state_dict()))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(a, results[1][1][key]) for key, a in results[0][1].items())


def test_a_joint_batch_shares_its_normalisation(set_params: Any) -> None:
    """In two passes each domain is normalised by its own statistics, and the running ones see both in turn."""
    counts, losses = [], []
    for joint in (True, False):
        dann = method(set_params, joint_batch=joint)
        losses.append(step(dann, batch())["domain_loss"].item())
        counts.append(int(dann.networks["network"].features[1].num_batches_tracked))  # type: ignore[index,union-attr,arg-type]
    assert counts == [1, 2]
    assert losses[0] != losses[1]


def test_the_curve_has_the_domain_head_and_lambda(set_params: Any) -> None:
    values = step(method(set_params, **{"lambda": 0.5}), batch())
    keys = {"class_loss", "class_accuracy", "domain_loss", "domain_accuracy", "lambda"}
    assert set(values) == keys | {"information"}
    assert set(step(method(set_params, information=0.0), batch())) == keys
    assert values["lambda"].item() == pytest.approx(0.5 * 0.99991, abs=1e-4)
    assert 0 <= values["domain_accuracy"] <= 1


def test_information_of_sure_diverse_unsure_and_collapsed_predictions() -> None:
    sure = 50 * torch.eye(10)
    assert information(sure).item() == pytest.approx(math.log(10), abs=1e-3)
    assert information(torch.zeros(10, 10)).item() == pytest.approx(0, abs=1e-3)  # unsure
    assert information(sure[:1].expand(10, 10)).item() == pytest.approx(0, abs=1e-3)  # collapsed
