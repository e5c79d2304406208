"""The layers of a network as the report prints them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from dlcv.engine.layers import layers
from dlcv.engine.weights import count_parameters


class Branches(nn.Module):
    """Two parts, the one that is declared last used first."""

    def __init__(self) -> None:
        super().__init__()
        self.second = nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 2, bias=False))
        self.first = nn.Sequential(spectral_norm(nn.Conv2d(3, 8, (4, 2), stride=2, padding=(1, 0))))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(images))  # type: ignore[no-any-return]


def test_layers_are_in_the_order_of_a_forward_pass_with_kernel_shape_and_parameters() -> None:
    assert layers(Branches(), torch.zeros(1, 3, 8, 8), depth=2) == [
        {"layer": "Conv2d 4x2, spectral norm", "output": "8 x 4 x 4", "parameters": 3 * 8 * 4 * 2 + 8},
        {"layer": "BatchNorm2d", "output": "8 x 4 x 4", "parameters": 16},
        {"layer": "ReLU", "output": "8 x 4 x 4", "parameters": 0},
        {"layer": "Flatten", "output": "128", "parameters": 0},
        {"layer": "Linear", "output": "2", "parameters": 256},
    ]


@pytest.mark.parametrize("training", [True, False])
def test_looking_changes_nothing(training: bool) -> None:
    torch.manual_seed(0)
    network = Branches().train(training)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = torch.get_rng_state()
    rows = layers(network, torch.ones(1, 3, 8, 8), depth=2)
    assert sum(row["parameters"] for row in rows) == count_parameters(network)
    assert network.training == training and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())


def test_one_value_for_each_image_is_a_shape_too() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 4), nn.Flatten(0))
    assert [row["output"] for row in layers(network, torch.zeros(1, 1, 4, 4), depth=1)] == ["1 x 1 x 1", "1"]
