"""Generate To Adapt's step against the report: the order of the updates, the losses, and that torch accepts it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dlcv.adaptation.config import Augmentation
from dlcv.adaptation.methods.gta import GTA, gta_source, real_or_fake
from dlcv.adaptation.methods.gta import gta as build
from dlcv.adaptation.networks.gta import GTANetworks
from dlcv.runtime.config import load
from tests.adaptation.conftest import batch, recording

pytestmark = pytest.mark.slow


SMALL = {"gta.width": 0.0625, "gta.noise": 8}


def method(set_params: Any, task: str = "usps-mnistm") -> GTA:
    set_params(SMALL)
    torch.manual_seed(0)
    gta = build(task, load()).method
    assert isinstance(gta, GTA)
    return gta


def test_order_of_the_updates_and_each_changes_its_own_network_alone(set_params: Any) -> None:
    gta = method(set_params)
    network = gta.networks["network"]
    parts = {"D": "discriminator", "G": "generator", "C": "class_head", "F": "features"}
    order = []
    for name, optimizer in gta.optimizers.items():

        def spy(closure: Any = None, name: str = name, step: Any = optimizer.step) -> None:
            before = {key: value.detach().clone() for key, value in network.named_parameters()}
            step()
            after = dict(network.named_parameters())
            assert {key.split(".")[0] for key in after if not torch.equal(before[key], after[key])} == {parts[name]}
            order.append(name)

        optimizer.step = spy  # type: ignore[method-assign,assignment]
    # Two steps: the reference's shared forward pass would already end the first on current torch.
    for _ in range(2):
        values = gta.step(batch(), 0.5, torch.Tensor.backward)
    assert order == ["D", "G", "C", "F"] * 2
    assert all(value.isfinite() for value in values.values())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_the_four_losses_are_the_reports(set_params: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_params({"adaptation.training.augmentation": dict.fromkeys(Augmentation.model_fields, 0.0)})
    set_params({"gta.learning_rate": 1e-12, "gta.adversarial_weight": 0.1, "gta.target_weight": 0.3})
    gta = method(set_params)
    networks = gta.networks["network"]
    assert isinstance(networks, GTANetworks)
    monkeypatch.setattr(torch, "randn", lambda *shape, **options: torch.ones(*shape))  # G's noise
    (source, labels), (target, _) = batch()["source"], batch()["target"]

    def seen(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """D's losses: of their classes, of "real", and of "fake"."""
        classes, score = networks.discriminator(images)
        real = score.sigmoid()
        return functional.cross_entropy(classes, labels), -real.log().mean(), -(1 - real).log().mean()

    of_source, of_target = networks.embed(source), networks.embed(target)
    from_source = seen(networks.generator(of_source, labels))
    from_target = seen(networks.generator(of_target, torch.full((16,), 10)))
    real = seen(networks.prepare(source))
    classes = functional.cross_entropy(networks.class_head(of_source), labels)
    d_loss = real[0] + real[1] + from_source[2] + from_target[2]
    f_loss = classes + 0.1 * (from_source[0] + 0.3 * from_target[1])
    expected = [d_loss, from_source[0] + from_source[1], classes, f_loss]

    losses: list[Tensor] = []
    gta.step(batch(), 0.5, recording(losses))
    assert torch.allclose(torch.stack(losses), torch.stack(expected), atol=1e-4)


def test_the_targets_labels_are_not_read(set_params: Any) -> None:
    results = []
    for poison in (0, -1):
        gta = method(set_params)
        torch.manual_seed(1)
        values = gta.step(batch(poison), 0.5, torch.Tensor.backward)
        results.append((values, gta.networks["network"].state_dict()))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(value, results[1][1][key]) for key, value in results[0][1].items())


def test_the_baseline_trains_like_the_method_where_the_adversarial_weight_is_0(set_params: Any) -> None:
    set_params({"gta.adversarial_weight": 0.0})
    set_params({"adaptation.training.augmentation": dict.fromkeys(Augmentation.model_fields, 0.0)})
    whole = method(set_params)
    torch.manual_seed(0)
    alone = gta_source("usps-mnistm", load()).method  # the same seed gives the same weights
    for _ in range(2):
        whole.step(batch(), 0.5, torch.Tensor.backward)
        alone.step({"source": batch()["source"]}, 0.5, torch.Tensor.backward)
    of_whole, of_alone = (each.networks["network"].state_dict() for each in (whole, alone))
    assert {key.split(".")[0] for key in of_alone} == {"features", "class_head"}
    assert all(torch.equal(value, of_whole[key]) for key, value in of_alone.items())


def test_the_scenario_decides_about_grey(set_params: Any) -> None:
    assert method(set_params, "mnistm-svhn").networks["network"].grey
    assert not method(set_params, "usps-mnistm").networks["network"].grey


def test_real_or_fake_is_binary_cross_entropy() -> None:
    score = torch.tensor([0.0, 0.0])
    assert torch.allclose(real_or_fake(score, 1.0), torch.tensor(2.0).log())
    assert real_or_fake(torch.tensor([10.0]), 1.0) < 0.001 < 9 < real_or_fake(torch.tensor([10.0]), 0.0)
