"""Averages of weights, and BatchNorm statistics that fit them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcv.engine.averaging import EMA, batch_norms, recalibrated, use_batch_statistics


def test_ema_averages_parameters_and_copies_buffers() -> None:
    network = nn.BatchNorm1d(1)
    average = EMA(network, decay=0.5)
    with torch.no_grad():
        network.weight.fill_(3.0)
        network.running_mean.fill_(5.0)  # type: ignore[union-attr,operator]
    average.update(network, step=1000)
    averaged = average.network.state_dict()
    assert averaged["weight"].item() == 2.0  # half of 1 and half of 3
    assert averaged["running_mean"].item() == 5.0
    assert not any(parameter.requires_grad for parameter in average.network.parameters())


def test_the_average_forgets_the_initial_weights() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = EMA(network, decay=0.999)
    with torch.no_grad():
        network.weight.fill_(7.0)
    for step in range(1, 101):
        average.update(network, step)
    assert average.network.state_dict()["weight"].item() == pytest.approx(7.0, abs=1e-4)


def test_the_decay_grows_to_its_value() -> None:
    network = nn.Linear(1, 1, bias=False)
    for step, expected in ((1, 1 / 11), (10, 0.5), (1000, 0.9)):
        nn.init.zeros_(network.weight)
        average = EMA(network, decay=0.9)
        nn.init.ones_(network.weight)
        average.update(network, step)
        assert average.network.state_dict()["weight"].item() == pytest.approx(1 - expected)


def test_a_decay_of_zero_copies_the_network() -> None:
    network = nn.Linear(3, 2)
    average = EMA(network, decay=0.0)
    nn.init.normal_(network.weight)
    average.update(network, step=5)
    assert torch.equal(average.network.state_dict()["weight"], network.weight)


class Norms(nn.Module):
    """BatchNorm of two kinds, and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.images = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Flatten())
        self.features = nn.BatchNorm1d(12)

    def forward(self, images: Tensor) -> Tensor:
        return self.features(self.images(images))  # type: ignore[no-any-return]


def test_use_batch_statistics_leaves_only_batch_norm_in_training_mode() -> None:
    network = Norms()
    use_batch_statistics(network)
    assert [type(layer).__name__ for layer in network.modules() if layer.training] == ["BatchNorm2d", "BatchNorm1d"]
    assert batch_norms(network) == [network.images[0], network.features]


def test_recalibrated_statistics_are_the_mean_over_the_batches() -> None:
    torch.manual_seed(0)
    network = Norms()
    for _ in range(3):
        network(5 * torch.randn(4, 3, 2, 2) + 7)  # statistics of other batches
    batches = [torch.randn(8, 3, 2, 2) + index for index in range(4)]
    with recalibrated(network):
        assert not torch.is_grad_enabled()
        for batch in batches:
            network(batch)
    norm = network.images[0]
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
    mean = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    variance = torch.stack([batch.transpose(0, 1).flatten(1).var(1) for batch in batches]).mean(0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    assert not any(layer.training for layer in network.modules())
    assert torch.is_grad_enabled()


def test_recalibrating_changes_no_parameter_and_draws_no_random_number() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    before = {key: value.clone() for key, value in network.named_parameters()}
    state = torch.get_rng_state()
    with recalibrated(network):
        network(torch.ones(4, 2))
    assert torch.equal(torch.get_rng_state(), state)  # dropout is off
    assert all(torch.equal(value, before[key]) for key, value in network.named_parameters())
