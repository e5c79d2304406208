"""The U-Net of faces: the paper's size, its layers, and the dependence of its output on time and images."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from dlcv.diffusion.networks.conditioning import time_embedding
from dlcv.diffusion.unet import Attention, ResidualBlock, UNet, norm
from dlcv.engine.weights import count_parameters
from tests.diffusion.test_samplers import random_network


def block(inputs: int, outputs: int, attention: bool = False) -> int:
    """Parameters of a residual block: two norms, two convolutions, the layer for the time (of 512), the shortcut."""
    values = 2 * inputs + 9 * inputs * outputs + outputs + 512 * outputs + outputs
    values += 2 * outputs + 9 * outputs**2 + outputs
    values += (inputs * outputs + outputs) * (inputs != outputs)
    return values + attention * (2 * outputs + 4 * (outputs**2 + outputs))


def test_at_width_1_it_is_the_papers_network() -> None:
    """78.7 million parameters, counted here layer by layer."""
    with torch.device("meta"):
        network = UNet()
    down = [(128, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 256), (256, 256), (256, 256)]
    down += [(256, 512), (512, 512)]
    up = [(1024, 512), (1024, 512), (768, 512), (768, 256), (512, 256), (512, 256), (512, 256), (512, 256), (512, 256)]
    up += [(512, 256), (512, 256), (384, 256), (384, 128), (256, 128), (256, 128)]
    attended = {4, 5}, {6, 7, 8}  # blocks at 16 x 16
    expected = sum(block(*sizes, index in attended[0]) for index, sizes in enumerate(down))
    expected += sum(block(*sizes, index in attended[1]) for index, sizes in enumerate(up))
    expected += block(512, 512, True) + block(512, 512)
    expected += sum(9 * c * c + c for c in (128, 256, 256, 256, 512, 256, 256, 256))  # halving and doubling
    expected += 128 * 512 + 512 + 512 * 512 + 512  # time
    expected += 9 * 3 * 128 + 128 + 2 * 128 + 9 * 128 * 3 + 3
    assert count_parameters(network) == expected == 78_700_803
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    assert len(blocks) == 27 and sum(isinstance(module, Attention) for module in network.modules()) == 6
    assert {module.num_groups for module in network.modules() if isinstance(module, nn.GroupNorm)} == {32}
    assert {module.p for module in network.modules() if isinstance(module, nn.Dropout)} == {0.1}


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"width": 1 / 32, "multipliers": (1,), "blocks": 1},
        {"width": 3 / 32, "multipliers": (1, 2, 3), "blocks": 2, "attention": (32, 8)},
        {"width": 1 / 16, "multipliers": (2, 1), "blocks": 3, "patch": 2},
        {"width": 1 / 16, "multipliers": (1, 2, 4), "patch": 4, "attention": ()},
    ],
)
def test_other_settings_work_and_every_parameter_gets_a_gradient(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = UNet(**{"blocks": 1, **settings})
    x, t = torch.randn(2, 3, 64, 64), torch.tensor([3, 700])
    assert torch.equal(network(x, t), torch.zeros_like(x))  # its last layer starts with zeros
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, 0, 0.05)
    out = network(x, t)
    assert out.shape == x.shape
    out.square().mean().backward()
    for name, parameter in network.named_parameters():
        # Some gradients are 0: GroupNorm with one channel in each group removes the bias before it.
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_it_takes_images_of_other_sizes() -> None:
    network = random_network()
    for height, width in ((32, 32), (64, 64), (16, 48)):
        assert network(torch.randn(1, 3, height, width), torch.tensor([5])).shape == (1, 3, height, width)


def test_the_output_depends_on_the_time_and_on_no_other_image() -> None:
    network = random_network()
    x = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        out = network(x, torch.tensor([0, 500, 999]))
        for index, t in enumerate((0, 500, 999)):
            alone = network(x[index : index + 1], torch.tensor([t]))
            assert torch.allclose(alone[0], out[index], atol=1e-5)
            assert not torch.allclose(
                network(x[index : index + 1], torch.tensor([t // 2 + 7]))[0], out[index], atol=1e-3
            )


def test_attention_has_one_head_over_all_positions() -> None:
    torch.manual_seed(0)
    attention = Attention(8)
    x = torch.randn(2, 8, 3, 5)
    assert torch.equal(attention(x), x)  # it starts as the identity
    nn.init.normal_(attention.out.weight)
    query, key, value = (part.flatten(2) for part in attention.query_key_value(attention.norm(x)).chunk(3, dim=1))
    weights = torch.softmax(torch.einsum("ncq,nck->nqk", query, key) / math.sqrt(8), dim=2)
    expected = x + attention.out(torch.einsum("nqk,nck->ncq", weights, value).unflatten(2, (3, 5)))
    assert torch.allclose(attention(x), expected, atol=1e-5)


def test_groups_have_four_channels_at_least() -> None:
    for channels in (4, 12, 24, 32, 48, 64, 96, 128, 192, 512, 1024):
        groups = norm(channels).num_groups
        assert channels % groups == 0 and channels // groups >= 4 and groups <= 32
    assert norm(128).num_groups == norm(384).num_groups == 32


def test_times_are_embedded_as_sines_and_cosines() -> None:
    embedded = time_embedding(torch.tensor([0, 7]), 8)
    assert torch.equal(embedded[0], torch.tensor([0.0] * 4 + [1.0] * 4))
    frequencies = [10_000 ** (-index / 3) for index in range(4)]
    expected = [math.sin(7 * f) for f in frequencies] + [math.cos(7 * f) for f in frequencies]
    assert torch.allclose(embedded[1], torch.tensor(expected), atol=1e-6)
