"""A method is one file: Deep CORAL, written as its file would be, goes through training and evaluation."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from dlcv.adaptation import config, evaluate, train
from dlcv.adaptation.augment import augment
from dlcv.adaptation.config import Adaptation, Augmentation, Method, Training
from dlcv.adaptation.methods.common import (
    Backward,
    Batch,
    Learner,
    Plan,
    adamw,
    classify,
    domain_network,
    settings_of,
)
from dlcv.adaptation.networks.digits import DomainNetwork
from dlcv.adaptation.trainings import Task
from dlcv.runtime.config import Params, load
from dlcv.runtime.files import read_json
from tests.adaptation.conftest import batch, recording

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

WEIGHT = 2.0


class DeepCORAL(Learner):
    """Class loss and the distance between the covariances of both domains' features (Sun and Saenko 2016)."""

    def __init__(self, network: DomainNetwork, training: Training):
        super().__init__({"network": network}, {"network": adamw(network.parameters(), training)})
        self.training = training

    def step(self, batch: Batch, progress: float, backward: Backward) -> dict[str, Tensor]:
        (source, labels), (target, _) = batch["source"], batch["target"]
        images = augment(torch.cat([source, target]), self.training.augmentation)
        output = self.networks["network"](images)
        count = len(source)
        loss, values = classify(output.classes[:count], labels, self.training.label_smoothing)
        distance = coral(output.features[:count], output.features[count:])
        self.descend("network", loss + WEIGHT * distance, backward)
        return {**values, "coral_loss": distance.detach()}


def coral(source: Tensor, target: Tensor) -> Tensor:
    """|C_S - C_T|_F^2 / (4 D^2) of features N x D and M x D."""
    difference = source.T.cov() - target.T.cov()
    return difference.square().sum() / (4 * source.shape[1] ** 2)


def coral_plan(name: str, params: Params) -> Plan:
    training = params[Adaptation].training
    return Plan(
        DeepCORAL(domain_network(params), training),
        settings={**settings_of(params), "coral": {"weight": WEIGHT}},
        steps=training.steps,
        ema_decay=training.ema_decay,
    )


@pytest.fixture
def coral_params(domains: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch) -> Params:
    method = Method("Deep CORAL", "coral", on="scenario", baseline="supervised", caption="Losses of Deep CORAL.")
    monkeypatch.setitem(config.METHODS, "coral", method)
    monkeypatch.setattr(config, "ADAPTING", [*config.ADAPTING, "coral"])
    monkeypatch.setitem(sys.modules, "dlcv.adaptation.methods.coral", SimpleNamespace(coral=coral_plan))  # type: ignore[arg-type]
    set_params({"adaptation.methods": {"dann": ["mnistm-svhn", "svhn-usps", "usps-mnistm"], "coral": ["mnistm-usps"]}})
    set_params({"adaptation.training.steps": 3, "adaptation.training.batch_size": 16, "ceiling.steps": 3})
    set_params({"adaptation.tsne.images": 20, "adaptation.tsne.perplexity": 5})
    return load()


def test_the_loss_is_that_of_the_paper(coral_params: Params, set_params: Any) -> None:
    set_params({"adaptation.training.augmentation": dict.fromkeys(Augmentation.model_fields, 0.0)})
    set_params({"adaptation.training.dropout": 0.0})
    method = coral_plan("mnistm-usps", load()).method
    network = method.networks["network"]
    assert isinstance(network, DomainNetwork)
    (source, labels), (target, _) = batch()["source"], batch()["target"]
    features = network.embed(torch.cat([source, target]))
    centred = [part - part.mean(0) for part in (features[:16], features[16:])]
    covariances = [part.T @ part / 15 for part in centred]
    expected = torch.nn.functional.cross_entropy(network.class_head(features)[:16], labels)
    expected = expected + WEIGHT * (covariances[0] - covariances[1]).square().sum() / (4 * 800**2)
    losses: list[Tensor] = []
    method.step(batch(), 0.5, recording(losses))
    assert torch.allclose(losses[0], expected, atol=1e-4)


def test_a_new_method_is_trained_and_evaluated_like_the_others(coral_params: Params) -> None:
    for task in (Task("supervised", "mnistm", 0), Task("ceiling", "usps", 0), Task("coral", "mnistm-usps", 0)):
        train.run(task, coral_params)
    row = read_json(evaluate.run("mnistm-usps", coral_params))["rows"]["coral"]
    assert (row["label"], row["adapts"], row["gain"]["over"]) == ("Deep CORAL", True, "trained_on_source")
    assert "domain_accuracy" not in row
    listing = read_json(Path("out/adaptation/mnistm-usps-evaluation/figures.json"))["figures"]
    assert listing[-1] == {"file": "curve-coral.png", "caption": "Losses of Deep CORAL."}
