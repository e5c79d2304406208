"""Networks against the figures that the reports print, and the reversal against its definition."""

from __future__ import annotations

import torch

from dlcv.adaptation.networks import GradientReversal, lenet
from dlcv.weights import count_parameters


def test_lenet_has_the_printed_numbers_of_parameters() -> None:
    network = lenet(0.5, instance_norm=True)
    parts = [count_parameters(part) for part in (network.features, network.class_head, network.domain_head)]
    assert parts == [85_142, 91_610, 80_502]
    assert count_parameters(network) == 257_254


def test_shapes_and_what_instance_norm_removes() -> None:
    torch.manual_seed(0)
    network = lenet(0.5, instance_norm=True).eval()
    pictures = torch.rand(3, 3, 28, 28) * 2 - 1
    classes, domains = network(pictures)
    assert classes.shape == (3, 10) and domains.shape == (3, 2)
    assert network.embed(pictures).shape == (3, 800)
    # Half the contrast and another colour: the same digit.
    cast = pictures * 0.5 + torch.tensor([0.3, -0.2, 0.1]).view(3, 1, 1)
    plain = lenet(0.5, instance_norm=False).eval()
    moved = [(each.embed(cast) - each.embed(pictures)).abs().max() for each in (network, plain)]
    assert moved[0] < 0.4 * moved[1]
    assert network(torch.zeros(1, 3, 28, 28))[0].isfinite().all()


def test_reversal_is_the_identity_forward_and_minus_strength_backward() -> None:
    x = torch.randn(4, 5, requires_grad=True)
    y = GradientReversal.apply(x, 0.3)
    assert torch.equal(y, x)
    y.sum().backward()
    assert x.grad is not None and torch.allclose(x.grad, torch.full_like(x, -0.3))


def test_only_the_features_get_the_reversed_gradient() -> None:
    """The domain head learns at its full rate whatever lambda is."""
    gradients = {}
    for strength in (0.0, 1.0):
        torch.manual_seed(0)
        network = lenet(0.0, instance_norm=False).eval()
        _, domains = network(torch.rand(4, 3, 28, 28), strength)
        domains[:, 0].sum().backward()
        head, features = network.domain_head[0].weight.grad, network.features[0].weight.grad  # type: ignore[index]
        gradients[strength] = head.clone(), features.clone()
    assert torch.equal(gradients[0.0][0], gradients[1.0][0])
    assert gradients[0.0][1].abs().max() == 0 < gradients[1.0][1].abs().max()
