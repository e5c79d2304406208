"""DANN's step against the paper."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from dlcv.adaptation.config import Augmentation
from dlcv.adaptation.methods.common import information, strength
from dlcv.adaptation.methods.dann import DANN
from dlcv.adaptation.methods.dann import dann as build
from dlcv.adaptation.networks.digits import DomainNetwork
from dlcv.runtime.config import load
from tests.adaptation.conftest import batch

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("progress", "expected"), [(0, 0), (0.1, 0.46212), (0.25, 0.84828), (0.5, 0.98661), (0.75, 0.99889), (1, 0.99991)]
)
def test_strength_is_the_papers(progress: float, expected: float) -> None:
    assert strength(progress, 1.0, 10.0) == pytest.approx(expected, abs=5e-6)
    assert strength(progress, 0.3, 10.0) == pytest.approx(0.3 * expected, abs=5e-6)


def method(set_params: Any, **values: Any) -> DANN:
    set_params({f"dann.{key}": value for key, value in values.items()})
    torch.manual_seed(0)
    dann = build("mnistm-usps", load()).method
    assert isinstance(dann, DANN)
    return dann


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


def test_the_gradients_are_those_of_the_losses_written_out(set_params: Any) -> None:
    """For the features: classes, less lambda times domains, less information; for the domain head: domains in full."""
    plain = dict.fromkeys(Augmentation.model_fields, 0.0)
    set_params({"adaptation.training.augmentation": plain, "adaptation.training.dropout": 0.0})
    dann = method(set_params, **{"lambda": 0.5, "information": 0.3})
    network = dann.networks["network"]
    assert isinstance(network, DomainNetwork)
    data = batch()
    (source, labels), (target, _) = data["source"], data["target"]

    features = network.embed(torch.cat([source, target]))
    shares = network.class_head(features).softmax(1)
    of_domains = network.domain_head(features).log_softmax(1)
    classes = -shares[:16].log()[torch.arange(16), labels].mean()
    domains = -of_domains[:16, 0].mean() - of_domains[16:, 1].mean()
    mean = shares[16:].mean(0)
    gained = (shares[16:] * shares[16:].log()).sum(1).mean() - (mean * mean.log()).sum()
    full = 2 / (1 + math.exp(-10)) - 1  # at the end of the training
    parts = [*network.features.parameters()]
    expected = torch.autograd.grad(classes - full * (0.5 * domains + 0.3 * gained), parts, retain_graph=True)
    of_head = torch.autograd.grad(domains, [*network.domain_head.parameters()])

    step(dann, data)
    made = [*(part.grad for part in parts), *(part.grad for part in network.domain_head.parameters())]
    for gradient, by_hand in zip(made, [*expected, *of_head], strict=True):
        assert gradient is not None and torch.allclose(gradient, by_hand, atol=1e-5, rtol=1e-3)


def test_the_curve_has_the_domain_head_and_lambda(set_params: Any) -> None:
    values = step(method(set_params, **{"lambda": 0.5}), batch())
    keys = {"class_loss", "class_accuracy", "domain_loss", "domain_accuracy", "lambda"}
    assert set(values) == keys | {"information"}
    assert set(step(method(set_params, information=0.0), batch())) == keys
    assert values["lambda"].item() == pytest.approx(0.5 * 0.99991, abs=1e-4)
    assert 0 <= values["domain_accuracy"] <= 1


def test_information_of_confident_diverse_unconfident_and_collapsed_predictions() -> None:
    confident = 50 * torch.eye(10)
    assert information(confident).item() == pytest.approx(math.log(10), abs=1e-3)
    assert information(torch.zeros(10, 10)).item() == pytest.approx(0, abs=1e-3)  # unconfident
    assert information(confident[:1].expand(10, 10)).item() == pytest.approx(0, abs=1e-3)  # collapsed


def changed(before: dict[str, Tensor], dann: DANN) -> set[str]:
    """The parts of the network whose parameters differ."""
    after = dict(dann.networks["network"].named_parameters())
    return {key.split(".")[0] for key in after if not torch.equal(before[key], after[key])}


def test_alternating_teaches_the_domain_head_first_and_by_itself(set_params: Any) -> None:
    dann = method(set_params, update="alternating")
    network = dann.networks["network"]
    before = {key: value.detach().clone() for key, value in network.named_parameters()}
    seen = []
    for name, optimizer in dann.optimizers.items():

        def spy(closure: Any = None, name: str = name, step: Any = optimizer.step) -> None:
            # What the step has to go by: no gradient of the domain head's step has reached the features.
            first = next(network.features.parameters()).grad  # type: ignore[union-attr]
            seen.append((name, None if first is None else float(first.abs().max())))
            step()
            seen.append((name, changed(before, dann)))

        optimizer.step = spy  # type: ignore[method-assign,assignment]
    step(dann, batch())
    assert [name for name, _ in seen] == ["domain_head", "domain_head", "network", "network"]
    assert not seen[0][1]  # none, or all zero
    assert seen[1][1] == {"domain_head"}
    assert seen[2][1] > 0
    assert seen[3][1] == {"features", "class_head", "domain_head"}


def test_alternating_leaves_the_domain_head_alone_in_the_second_step(set_params: Any) -> None:
    dann = method(set_params, update="alternating")
    heads = []
    for optimizer in dann.optimizers.values():

        def spy(closure: Any = None, step: Any = optimizer.step) -> None:
            step()
            heads.append([value.detach().clone() for value in dann.networks["network"].domain_head.parameters()])  # type: ignore[union-attr,operator]

        optimizer.step = spy  # type: ignore[method-assign,assignment]
    step(dann, batch())
    assert all(torch.equal(a, b) for a, b in zip(*heads, strict=True))
