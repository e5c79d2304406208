"""Information maximisation towards the class shares of the target, which are estimated during training."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dlcv.adaptation import train
from dlcv.adaptation.config import Augmentation
from dlcv.adaptation.methods.common import TargetShares, information_to_shares
from dlcv.adaptation.methods.dann import DANN
from dlcv.adaptation.methods.dann import dann as build_dann
from dlcv.adaptation.methods.selftraining import SelfTraining
from dlcv.adaptation.methods.selftraining import selftraining as build_selftraining
from dlcv.adaptation.trainings import Task
from dlcv.runtime.config import load
from tests.adaptation.conftest import batch, recording
from tests.adaptation.test_stages import SMALL

pytestmark = pytest.mark.slow


NOISE = torch.randn(10, 10, generator=torch.Generator().manual_seed(0)).softmax(1)
CONFUSION = 0.7 * torch.eye(10) + 0.3 * NOISE  # of each class: the mean prediction for it
LABELS = torch.tensor([*range(10), *[0] * 15, *[1] * 5])  # the classes of the source are not equally frequent


def test_the_loss_is_minus_divergence_and_entropy() -> None:
    logits = torch.randn(16, 10, generator=torch.Generator().manual_seed(0), requires_grad=True)
    shares = torch.arange(1, 11) / 55
    p = logits.softmax(1)
    mean = p.mean(0)
    by_hand = -(mean * (mean / shares).log()).sum() + (p * p.log()).sum(1).mean()
    loss = information_to_shares(logits, shares)
    assert loss.item() == pytest.approx(by_hand.item(), abs=1e-4)
    gradients = [torch.autograd.grad(one, logits, retain_graph=True)[0] for one in (loss, by_hand)]
    assert torch.allclose(*gradients, atol=1e-5)
    # The best: certain predictions with these shares.
    certain = 60 * torch.eye(10)[torch.repeat_interleave(torch.arange(10), torch.arange(1, 11))]
    assert information_to_shares(certain, shares).item() == pytest.approx(0, abs=1e-4)


def test_the_estimate_becomes_the_shares_under_which_the_source_predicts_the_target() -> None:
    truth = torch.arange(1, 11) / 55
    source, target = CONFUSION[LABELS].log(), (truth @ CONFUSION).log().expand(5, 10)
    shares = TargetShares()
    for _ in range(2000):
        estimate = shares.update(source, LABELS, target)
    assert torch.allclose(estimate, 0.99 * truth + 0.001, atol=2e-3)
    assert not torch.allclose(truth @ CONFUSION, truth, atol=2e-2)  # the mean prediction is another
    assert estimate.sum().item() == pytest.approx(1, abs=1e-5)


def test_one_batch_is_one_step_of_the_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    source, target = torch.randn(30, 10, generator=generator), torch.randn(20, 10, generator=generator)
    shares = TargetShares()
    shares.share.copy_(torch.arange(1, 11) / 55)
    before = shares.share.clone()
    p = source.softmax(1)
    joint = torch.tensor([[float((p[:, i] * (j == LABELS)).sum()) / 30 for j in range(10)] for i in range(10)])
    joint = 0.99 * torch.eye(10) / 10 + 0.01 * joint
    m = 0.99 * 0.1 + 0.01 * target.softmax(1).mean(0)
    by_class = joint / joint.sum(0)
    expected = torch.tensor(
        [float(before[j] * sum(by_class[i, j] * m[i] / (by_class[i] @ before) for i in range(10))) for j in range(10)]
    )
    assert torch.allclose(shares.update(source, LABELS, target), 0.99 * expected + 0.001, atol=1e-6)


def test_the_estimate_gets_no_gradient_and_is_in_the_checkpoint() -> None:
    logits = torch.randn(30, 10, requires_grad=True)
    shares = TargetShares()
    assert not shares.update(logits, LABELS, logits).requires_grad
    other = TargetShares()
    other.load_state_dict(shares.state_dict())
    assert torch.equal(other.update(logits, LABELS, logits), shares.update(logits, LABELS, logits))


PLAIN = dict.fromkeys(Augmentation.model_fields, 0.0)
QUIET = {"adaptation.training.augmentation": PLAIN, "adaptation.training.dropout": 0.0, "dann.lambda": 0.0}
QUIET |= {"selftraining.weak": PLAIN, "selftraining.strong": PLAIN, "selftraining.source": PLAIN}
QUIET |= {"selftraining.dropout": 0.0, "selftraining.target_weight": 0.0}


def losses(set_params: Callable[[Any], None], section: str, shares: str) -> tuple[DANN | SelfTraining, Tensor]:
    """The loss of the first step with some class shares; the method is a new one that has not made this step."""
    set_params({**QUIET, f"{section}.class_shares": shares, f"{section}.information": 0.5})
    built = []
    for _ in range(2):
        torch.manual_seed(0)
        made = {"dann": build_dann, "selftraining": build_selftraining}[section]("usps-mnistm", load())
        assert made.single == (section == "selftraining" or shares == "estimated")
        assert isinstance(made.method, (DANN, SelfTraining))
        built.append(made.method)
    found: list[Tensor] = []
    built[0].step(batch(), 1.0, recording(found))
    return built[1], found[-1]


@pytest.mark.slow
@pytest.mark.parametrize(("section", "weight"), [("dann", 0.5 * (2 / (1 + math.exp(-10)) - 1)), ("selftraining", 0.5)])
def test_only_the_information_in_the_loss_changes(set_params: Any, section: str, weight: float) -> None:
    method, uniform = losses(set_params, section, "uniform")
    assert "target_shares" not in method.networks
    method, estimated = losses(set_params, section, "estimated")
    network = method.networks["network"]
    (source, labels), (target, _) = batch()["source"], batch()["target"]
    if section == "dann":  # joint batch
        logits = network(torch.cat([source, target])).classes
        of_source, of_target = logits[:16], logits[16:]
    else:
        of_source, of_target = network(source).classes, network(target).classes
    shares = TargetShares().update(of_source, labels, of_target)
    change = float((of_target.softmax(1).mean(0) * shares.log()).sum().detach())
    assert abs(change) > 1
    assert (estimated - uniform).item() == pytest.approx(-weight * change, abs=1e-4)
    assert isinstance(method.networks["target_shares"], TargetShares)


@pytest.mark.slow  # trainings
@pytest.mark.parametrize("name", ["dann", "selftraining"])
def test_a_killed_training_resumes_with_its_estimate(
    _often: None, name: str, domains: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = "adaptation.training.steps" if name == "dann" else "selftraining.steps"
    set_params({**SMALL, steps: 12, f"{name}.class_shares": "estimated"})
    task = Task(name, "mnistm-usps", 0)
    whole = {path.name: path.read_bytes() for path in train.run(task, load()).iterdir()}
    real, done = TargetShares.update, []

    def dying(self: Any, *arguments: Any) -> Any:
        done.append(None)
        if len(done) == 11:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(TargetShares, "update", dying)
    with pytest.raises(KeyboardInterrupt):
        train.run(task, load())
    assert {path.name: path.read_bytes() for path in train.run(task, load()).iterdir()} == whole
    assert len(done) == 11 + 4  # from step 8 on
