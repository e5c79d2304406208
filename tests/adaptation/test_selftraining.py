"""Self-training: the pseudo-labels, the loss, and the statistics of the result."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dlcv.adaptation.methods import selftraining
from dlcv.adaptation.methods.common import adapt_statistics
from dlcv.adaptation.methods.selftraining import SelfTraining, ramp, selftraining_source
from dlcv.adaptation.methods.selftraining import selftraining as build
from dlcv.adaptation.networks.digits import DomainNetwork, Output
from dlcv.engine.averaging import batch_norms, use_batch_statistics
from dlcv.runtime.config import load
from tests.adaptation.conftest import batch, recording

pytestmark = pytest.mark.slow


def method(set_params: Any, **values: Any) -> SelfTraining:
    set_params({f"selftraining.{key}": value for key, value in values.items()})
    torch.manual_seed(0)
    built = build("usps-mnistm", load()).method
    assert isinstance(built, SelfTraining)
    return built


def test_the_targets_labels_are_not_read(set_params: Any) -> None:
    results = []
    for poison in (0, -1):
        trained = method(set_params, threshold=0.1)
        torch.manual_seed(1)
        values = trained.step(batch(poison), 0.5, torch.Tensor.backward)
        results.append((values, trained.networks["teacher"].state_dict()))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(value, results[1][1][key]) for key, value in results[0][1].items())


def test_the_baseline_reads_nothing_of_the_target_and_has_the_statistics_of_the_source(set_params: Any) -> None:
    set_params({"selftraining.steps": 2})
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28, 3), dtype=np.uint8)
    torch.manual_seed(0)
    plan = selftraining_source("usps", load())
    source = {"source": batch()["source"]}
    assert set(plan.method.step(source, 0.5, torch.Tensor.backward)) == {"class_loss", "class_accuracy"}
    teacher = plan.method.networks[plan.result]
    assert isinstance(teacher, DomainNetwork)
    plan.finish(teacher, {"source": images})
    finished = {key: value.clone() for key, value in teacher.state_dict().items()}
    adapt_statistics(teacher, images)
    assert all(torch.equal(value, finished[key]) for key, value in teacher.state_dict().items())


def test_the_loss_is_that_of_the_labels_and_of_the_pseudo_labels(
    set_params: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"target_weight": 0.7, "information": 0.2}
    trained = method(set_params, threshold=0.0, threshold_balance=0.0, dropout=0.0, **weights)
    own, student = trained.own, trained.networks["network"]
    # An augmentation of its own for labelled images, for the teacher and for the student.
    shifts = {id(own.source): 1, id(own.weak): 2, id(own.strong): 3}
    monkeypatch.setattr(selftraining, "augment", lambda images, settings: images.roll(shifts[id(settings)], 3))
    (source, labels), (target, _) = batch()["source"], batch()["target"]

    teacher = copy.deepcopy(trained.networks["teacher"])
    use_batch_statistics(teacher)
    pseudo_labels = teacher(target.roll(2, 3)).classes.argmax(1)
    logits = student(source.roll(1, 3)).classes
    on_target = student(target.roll(3, 3)).classes
    mean = on_target.softmax(1).mean(0)
    gained = (on_target.softmax(1) * on_target.log_softmax(1)).sum(1).mean() - (mean * mean.log()).sum()
    of_target = 0.7 * functional.cross_entropy(on_target, pseudo_labels) - 0.2 * gained
    losses: list[Tensor] = []
    trained.step(batch(), 0.25, recording(losses))
    expected = functional.cross_entropy(logits, labels) + 0.5 * of_target  # half of the ramp
    assert torch.allclose(losses[0], expected, atol=1e-4)


class Predicts(nn.Module):
    """Always predicts the same probabilities."""

    def __init__(self, probabilities: Tensor):
        super().__init__()
        self.probabilities = probabilities

    def forward(self, images: Tensor) -> Output:
        return Output(images, self.probabilities.log(), images)


def test_a_rarely_predicted_class_has_a_lower_threshold(set_params: Any) -> None:
    probabilities = torch.full((2, 10), 0.2 / 9)
    probabilities[0, 3] = probabilities[1, 7] = 0.8
    for balance, expected in ((0.0, [False, False]), (1.0, [False, True])):
        trained = method(set_params, threshold=0.9, threshold_balance=balance)
        trained.networks["teacher"] = Predicts(probabilities)
        trained.shares.share = torch.full((10,), 0.05)  # half as often as by chance
        trained.shares.share[3] = 0.55
        labels, confident = trained.pseudo_labels(torch.zeros(2, 3, 28, 28))
        assert labels.tolist() == [3, 7]
        assert confident.tolist() == expected


def test_the_teacher_follows_the_student_and_gets_no_gradient(set_params: Any) -> None:
    trained = method(set_params, threshold=0.0)
    before = [value.clone() for value in trained.networks["teacher"].parameters()]
    values = trained.step(batch(), 0.5, torch.Tensor.backward)
    after = list(trained.networks["teacher"].parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(value.grad is None for value in after)
    assert values["pseudo_label_share"] == 1 and values["target_loss"] > 0


def test_the_weight_of_the_target_rises_over_half_of_the_training() -> None:
    assert [round(ramp(progress), 3) for progress in (0, 0.1, 0.25, 0.5, 1)] == [0, 0.095, 0.5, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("count", [30, 201])  # in batches of 200, the last would be of one image
def test_the_result_has_the_targets_statistics(set_params: Any, count: int) -> None:
    network = method(set_params).networks["teacher"]
    assert isinstance(network, DomainNetwork)
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28, 3), dtype=np.uint8)
    adapt_statistics(network, images)
    first = batch_norms(network)[0]
    assert first.num_batches_tracked == 1 and not network.training and not first.training
    seen: list[Tensor] = []
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1)
    assert first.running_mean is not None
    assert torch.allclose(seen[0].mean((0, 2, 3)), first.running_mean, atol=1e-4)
