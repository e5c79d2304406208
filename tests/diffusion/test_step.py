"""The training step of faces and digits: targets, times, weights, clipping, optimizers, and learning."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcv.diffusion import train_digits, train_faces
from dlcv.diffusion.config import Ddim, DigitTraining, FaceTraining, settings_of
from dlcv.diffusion.networks.conditioning import NONE
from dlcv.diffusion.schedule import linear, log_snr, min_snr_weights, velocity
from dlcv.diffusion.step import Denoising
from dlcv.diffusion.unet import UNet
from tests.diffusion.conftest import Recorder, digit_network, shipped

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

SCHEDULE = linear(1000, 1e-4, 0.02)
UNIFORM: dict[str, Any] = {"density": "uniform", "mean": 0.0, "std": 1.0}


def of_faces(network: nn.Module, **changes: Any) -> Denoising:
    values = shipped()[Ddim].training.model_dump() | {"schedule": "constant", "flip": False}
    return train_faces.method_of(network, SCHEDULE, FaceTraining(**{**values, **changes}))


def of_digits(network: nn.Module, **changes: Any) -> Denoising:
    values = settings_of("context-unet", shipped()).training.model_dump() | {"schedule": "constant"}
    return train_digits.method_of(network, SCHEDULE, DigitTraining(**{**values, **changes}))


def batch(count: int, size: int = 4) -> tuple[Tensor, Tensor]:
    """Images of uniform random values, and labels."""
    return torch.rand(count, 3, size, size) * 2 - 1, torch.arange(count) % 10


@pytest.mark.parametrize("prediction", ["noise", "velocity", "x0"])
@pytest.mark.parametrize("gamma", [0.0, 2.0, 5.0])
@pytest.mark.parametrize("make", [of_faces, of_digits])
def test_the_step_is_the_weighted_squared_error_of_the_prediction_at_uniform_times(
    make: Any, prediction: Any, gamma: float
) -> None:
    changes = {} if make is of_faces else {"times": UNIFORM, "label_drop": 0.3}
    network = Recorder()
    made = make(network, prediction=prediction, min_snr_gamma=gamma, gradient_clip=1e9, **changes)
    x0, labels = batch(500)
    torch.manual_seed(3)
    values = made.step((x0, labels), 0.0, Tensor.backward)
    x, t, *known = network.seen[0]
    assert 0 <= t.min() < 20 and 980 < t.max() < 1000
    assert t.double().mean().item() == pytest.approx(499.5, abs=45)
    if make is of_digits:
        assert 100 < (known[0] == NONE).sum() < 200
    else:
        assert known == []
    a = SCHEDULE.alpha_bar_of(t)
    eps = ((x - a.sqrt() * x0) / (1 - a).sqrt()).float()
    late = t > 20  # below, float32 leaves few digits of the noise
    assert eps[late].mean().abs() < 0.03 and eps[late].std().item() == pytest.approx(1, abs=0.03)
    target = {"noise": eps, "velocity": velocity(x0, eps, a), "x0": x0}[prediction]
    errors = (0.5 * x - target).square().mean((1, 2, 3))
    assert values["error"].item() == pytest.approx(errors.mean().item(), rel=1e-3)
    expected = (min_snr_weights(SCHEDULE, gamma, prediction)[t] * errors).mean().item()
    assert values["loss"].item() == pytest.approx(expected, rel=1e-3)
    assert (values["loss"] == values["error"]).item() == (gamma == 0)
    assert not values["loss"].requires_grad
    if prediction == "x0" and gamma:
        weight = (a / (1 - a)).clamp(max=gamma)
        assert values["loss"].item() == pytest.approx((weight * (0.5 * x - x0) ** 2).mean().item(), rel=1e-3)


def test_times_of_the_step_follow_the_density() -> None:
    network = Recorder()
    made = of_digits(network, times={"density": "log-snr", "mean": 0.0, "std": 1.0})
    torch.manual_seed(0)
    made.step((torch.zeros(2000, 3, 1, 1), torch.zeros(2000, dtype=torch.int64)), 0.0, Tensor.backward)
    at = log_snr(SCHEDULE)[network.seen[0][1]]
    assert abs(at.mean()) < 0.1 and at.std().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("make", [of_faces, of_digits])
@pytest.mark.parametrize(("clip", "largest"), [(1e-3, 1e-3), (0.0, None)])
def test_the_gradient_is_clipped_unless_the_clip_is_0(make: Any, clip: float, largest: float | None) -> None:
    network = Recorder()
    made = make(network, gradient_clip=clip)
    torch.manual_seed(0)
    values = made.step((torch.rand(4, 3, 4, 4), torch.zeros(4, dtype=torch.int64)), 0.0, Tensor.backward)
    assert network.weight.grad is not None
    expected = values["gradient_norm"].item() if largest is None else largest
    assert network.weight.grad.abs().item() == pytest.approx(expected, rel=1e-3)
    assert values["gradient_norm"].item() > 1e-2  # the norm before clipping


def test_each_face_is_mirrored_with_probability_half() -> None:
    x0 = torch.zeros(400, 1, 1, 2)
    x0[..., 1] = 1000.0  # much larger than the noise
    for flip, low, high in ((False, 0, 0), (True, 160, 240)):
        network = Recorder()
        of_faces(network, flip=flip).step((x0, torch.zeros(400)), 0.0, Tensor.backward)
        x = network.seen[0][0]
        assert low <= (x[:, 0, 0, 0] > x[:, 0, 0, 1]).sum() <= high


def test_each_label_is_dropped_independently_or_all_of_a_batch() -> None:
    torch.manual_seed(0)
    drop_labels = train_digits.drop_labels
    labels = torch.arange(10).repeat(400)
    dropped = drop_labels(labels, 0.1, whole_batch=False)
    assert 300 < (dropped == NONE).sum() < 500
    assert torch.equal(dropped[dropped != NONE], labels[dropped != NONE])
    assert torch.equal(labels, torch.arange(10).repeat(400))  # not changed in place
    whole = [drop_labels(labels, 0.25, whole_batch=True) for _ in range(400)]
    none = sum(bool((batch == NONE).all()) for batch in whole)
    assert 60 < none < 140
    assert none + sum(torch.equal(batch, labels) for batch in whole) == 400
    for fraction, expected in ((0.0, labels), (1.0, torch.full_like(labels, NONE))):
        assert all(torch.equal(drop_labels(labels, fraction, whole_batch=whole), expected) for whole in (False, True))


def test_the_step_drops_labels_as_the_settings_say() -> None:
    for drop, expected in (("sample", False), ("batch", True)):
        network = Recorder()
        made = of_digits(network, drop=drop, label_drop=0.5)
        torch.manual_seed(0)
        for _ in range(8):
            made.step(batch(64), 0.0, Tensor.backward)
        dropped = [(labels == NONE).float().mean().item() for _, _, labels in network.seen]
        assert all(fraction in (0, 1) for fraction in dropped) == expected
        assert 0 < sum(dropped) < 8


def test_optimizers_are_the_reports() -> None:
    for name, decay in (("adam", 0.0), ("adamw", 0.01)):
        made = of_digits(Recorder(), optimizer=name, weight_decay=decay, learning_rate=3e-4)
        optimizer = made.optimizers["network"]
        assert type(optimizer).__name__.lower() == name
        assert optimizer.param_groups[0]["lr"] == 3e-4 and optimizer.param_groups[0]["weight_decay"] == decay
    faces = of_faces(Recorder(), learning_rate=3e-4).optimizers["network"]
    assert type(faces).__name__ == "Adam" and faces.param_groups[0]["lr"] == 3e-4


def test_a_network_learns_to_predict_the_noise_in_one_image() -> None:
    torch.manual_seed(0)
    network = UNet(1 / 16, (1,), 1, (), 0.0, size=16)
    made = of_faces(network, learning_rate=1e-2, prediction="noise", flip=True)
    one = torch.linspace(-1, 1, 3 * 256).view(1, 3, 16, 16).repeat(16, 1, 1, 1), torch.zeros(16)
    losses = [made.step(one, 0.0, Tensor.backward)["loss"].item() for _ in range(60)]
    assert sum(losses[-10:]) < 0.5 * 2 * sum(losses[:5])


def test_a_network_learns_the_images_of_two_classes() -> None:
    """White for 0, black for 1; without a class it can only predict the mean."""
    torch.manual_seed(0)
    # So much noise that the images can hardly be recognised in it.
    noisy = {"density": "log-snr", "mean": -9.0, "std": 1.0}
    network = digit_network("context-unet-t1000", conditioning="adaptive", patch=4)
    made = of_digits(network.train(), learning_rate=5e-3, prediction="velocity", times=noisy)
    labels = torch.arange(2).repeat(8)
    x0 = (1 - 2.0 * labels).view(-1, 1, 1, 1).expand(-1, 3, 16, 16).contiguous()
    for _ in range(60):
        made.step((x0, labels), 0.0, Tensor.backward)
    # From noise alone, t = T - 1: v is about minus the image.
    noise = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        v = network.eval()(noise, torch.tensor([999, 999]), torch.tensor([0, 1]))
    assert v[0].mean() < -0.1 and v[1].mean() > 0.1
