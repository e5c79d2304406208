"""Networks against the numbers that the reports print, and the gradient reversal against its definition."""

from __future__ import annotations

import pytest
import torch

from dlcv.adaptation.networks.digits import NETWORKS, DomainNetwork, GradientReversal, build
from dlcv.adaptation.networks.gta import GTANetworks, to_grey
from dlcv.adaptation.networks.gta import build as build_gta
from dlcv.engine.weights import count_parameters


def network_of(name: str, dropout: float = 0.3, instance_norm: bool = True, poolings: int = 2) -> DomainNetwork:
    return build(name, dropout, instance_norm, {"deep": {"poolings": poolings}, "mish": {"hidden": [192, 128]}})


@pytest.mark.parametrize(
    ("name", "poolings", "counts"),
    [
        ("lenet", 2, [85_142, 91_610, 80_502]),
        ("deep", 2, [2_143_488, 530_442, 1_055_233]),
        ("deep", 5, [2_143_488, 530_442, 1_055_233]),
        ("wide", 2, [181_440, 62_810, 51_702]),
        ("mish", 2, [81_936, 174_282, 98_946]),
    ],
)
def test_networks_have_the_printed_numbers_of_parameters(name: str, poolings: int, counts: list[int]) -> None:
    network = network_of(name, poolings=poolings)
    assert [count_parameters(part) for part in (network.features, network.class_head, network.domain_head)] == counts
    if name == "mish":
        assert count_parameters(network) == 355_164


def test_gta_has_the_printed_numbers_of_parameters() -> None:
    networks = GTANetworks(512, 1.0, instance_norm=True, grey=False)
    parts = (networks.generator, networks.discriminator, networks.features, networks.class_head)
    assert [count_parameters(part) for part in parts] == [4_090_752, 668_427, 312_256, 17_802]


def test_gta_generates_and_discriminates_32x32_and_converts_to_grey() -> None:
    networks = GTANetworks(8, 0.125, instance_norm=True, grey=True).eval()
    images = torch.rand(2, 3, 28, 28) * 2 - 1
    generated = networks("generator", networks("embed", images), torch.tensor([3, 10]))
    assert generated.shape == (2, 3, 32, 32) and generated.abs().max() <= 1
    classes, real = networks("discriminator", generated)
    assert classes.shape == (2, 10) and real.shape == (2,)
    prepared = networks.prepare(images)
    assert prepared.shape == (2, 3, 32, 32) and torch.equal(prepared[:, 0], prepared[:, 2])
    assert torch.allclose(to_grey(torch.ones(1, 3, 2, 2)), torch.ones(1, 3, 2, 2))


def test_gta_describes_its_parts_and_has_examples() -> None:
    networks = build_gta("gta", noise=8, width=0.125, instance_norm=True, grey=False).eval()
    described = networks.description()
    assert sum(part["parameters"] for part in described.values()) == count_parameters(networks)
    assert list(described) == ["F", "C", "G", "D, without its two linear heads"]
    images = torch.rand(3, 3, 28, 28) * 2 - 1
    rows = networks.examples(images, torch.tensor([1, 2, 3]), images[:2])
    assert [len(row) for row in rows.values()] == [3, 3, 2, 2]
    assert torch.equal(rows["source"], networks.prepare(images))
    assert build_gta("gta-source", instance_norm=True, grey=False).examples(images, torch.zeros(3), images) == {}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_features_and_logits_and_describes_its_parts(name: str) -> None:
    for poolings in (2, 5) if name == "deep" else (2,):
        network = network_of(name, poolings=poolings).eval()
        images = torch.rand(2, 3, 28, 28) * 2 - 1
        output = network(images)
        assert torch.equal(output.features, network.embed(images))
        assert output.classes.shape == (2, 10) and output.domains.shape == (2, 2)
        described = network.description()
        assert list(described) == ["features", "class head", "domain head"]
        assert sum(part["parameters"] for part in described.values()) == count_parameters(network)
        assert all(part["layers"] and part["parameters"] > 0 for part in described.values())


def test_one_logit_gives_the_sigmoids_cross_entropy() -> None:
    network = network_of("deep").eval()
    domains = network(torch.rand(2, 3, 28, 28)).domains
    assert torch.equal(domains[:, 0], torch.zeros(2))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(domains[:, 1], torch.ones(2))
    loss = torch.nn.functional.cross_entropy(domains, torch.ones(2, dtype=torch.long))
    assert torch.allclose(loss, expected)


def test_shapes_and_what_instance_norm_removes() -> None:
    torch.manual_seed(0)
    network = network_of("lenet").eval()
    images = torch.rand(3, 3, 28, 28) * 2 - 1
    features, classes, domains = network(images)
    assert features.shape == (3, 800) and classes.shape == (3, 10) and domains.shape == (3, 2)
    assert network.embed(images).shape == (3, 800)
    # Half the contrast and another colour: the same digit.
    cast = images * 0.5 + torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)
    plain = network_of("lenet", instance_norm=False).eval()
    moved = [(each.embed(cast) - each.embed(images)).abs().max() for each in (network, plain)]
    assert moved[0] < 0.4 * moved[1]
    assert network(torch.zeros(1, 3, 28, 28)).classes.isfinite().all()


def test_reversal_is_the_identity_forward_and_minus_strength_backward() -> None:
    x = torch.randn(4, 5, requires_grad=True)
    y = GradientReversal.apply(x, torch.tensor(0.3))
    assert torch.equal(y, x)
    y.sum().backward()
    assert x.grad is not None and torch.allclose(x.grad, torch.full_like(x, -0.3))


def test_only_the_features_get_the_reversed_gradient() -> None:
    """The domain head learns at its full rate whatever lambda is."""
    gradients = {}
    for strength in (None, torch.tensor(1.0)):
        torch.manual_seed(0)
        network = network_of("lenet", 0.0, instance_norm=False).eval()
        domains = network(torch.rand(4, 3, 28, 28), strength).domains
        domains[:, 0].sum().backward()
        head, features = network.domain_head[0].weight.grad, network.features[0].weight.grad  # type: ignore[index]
        gradients[strength is None] = head, features
    assert torch.equal(gradients[True][0], gradients[False][0])
    assert gradients[True][1] is None and gradients[False][1].abs().max() > 0
