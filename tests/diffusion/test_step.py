"""The training step: which labels are dropped, which times are trained on, how much each counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcv.diffusion.conditional import Conditional, density, drop_labels, log_snr
from dlcv.diffusion.config import Diffusion, Times, Training
from dlcv.diffusion.networks.conditioning import NONE
from dlcv.diffusion.schedule import linear, min_snr_weights, velocity
from tests.diffusion.conftest import network, shipped

SCHEDULE = linear(1000, 1e-4, 0.02)
UNIFORM: dict[str, Any] = {"density": "uniform", "mean": 0.0, "std": 1.0}


def test_each_label_is_dropped_by_itself_or_all_of_a_batch() -> None:
    torch.manual_seed(0)
    labels = torch.arange(10).repeat(400)
    dropped = drop_labels(labels, 0.1, whole_batch=False)
    assert 300 < (dropped == NONE).sum() < 500
    assert torch.equal(dropped[dropped != NONE], labels[dropped != NONE])
    assert torch.equal(labels, torch.arange(10).repeat(400))  # not changed in place
    whole = [drop_labels(labels, 0.25, whole_batch=True) for _ in range(400)]
    none = sum(bool((batch == NONE).all()) for batch in whole)
    assert 60 < none < 140
    assert none + sum(torch.equal(batch, labels) for batch in whole) == 400
    for share, expected in ((0.0, labels), (1.0, torch.full_like(labels, NONE))):
        assert all(torch.equal(drop_labels(labels, share, whole_batch=whole), expected) for whole in (False, True))


def test_times_are_uniform_or_normal_in_log_snr() -> None:
    assert torch.allclose(density(Times(**UNIFORM), SCHEDULE), torch.full((1000,), 1e-3))
    at = log_snr(SCHEDULE)
    assert (at.diff() < 0).all()
    for mean, std in ((0.0, 2.0), (-1.0, 1.0)):
        likely = density(Times(density="log-snr", mean=mean, std=std), SCHEDULE).double()
        assert likely.sum() == pytest.approx(1, abs=1e-5) and (likely >= 0).all()
        found = (likely * at).sum()
        assert found.item() == pytest.approx(mean, abs=0.05)
        assert (likely * (at - found) ** 2).sum().sqrt().item() == pytest.approx(std, rel=0.05)


class Recorder(nn.Module):
    """Keeps what it is shown and answers with its weight times the images."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        self.seen.append((x.detach(), t, labels))
        return self.weight * x


def method(**changes: Any) -> tuple[Conditional, Recorder]:
    values = shipped()[Diffusion].settings("context-unet").training.model_dump()
    recorder = Recorder()
    return Conditional(recorder, SCHEDULE, Training(**{**values, "schedule": "constant", **changes})), recorder


@pytest.mark.parametrize("target", ["noise", "velocity", "image"])
@pytest.mark.parametrize("gamma", [0.0, 5.0])
def test_the_step_is_the_weighted_squared_error_of_the_target(target: Any, gamma: float) -> None:
    made, recorder = method(target=target, min_snr=gamma, times=UNIFORM, label_drop=0.3, gradient_clip=0.0)
    x0, labels = torch.rand(500, 3, 4, 4) * 2 - 1, torch.arange(10).repeat(50)
    torch.manual_seed(3)
    values = made.step((x0, labels), 0.0, Tensor.backward)
    x, t, known = recorder.seen[0]
    assert 100 < (known == NONE).sum() < 200
    assert t.double().mean().item() == pytest.approx(499.5, abs=45)
    a = SCHEDULE.alpha_bar_of(t)
    eps = ((x - a.sqrt() * x0) / (1 - a).sqrt()).float()
    wanted = {"noise": eps, "velocity": velocity(x0, eps, a), "image": x0}[target]
    errors = (0.5 * x - wanted).square().mean((1, 2, 3))
    assert values["error"].item() == pytest.approx(errors.mean().item(), rel=1e-3)
    expected = (min_snr_weights(SCHEDULE, gamma, target)[t] * errors).mean().item()
    assert values["loss"].item() == pytest.approx(expected, rel=1e-3)
    assert (values["loss"] == values["error"]).item() == (gamma == 0)


def test_times_of_the_step_follow_the_density() -> None:
    made, recorder = method(times={"density": "log-snr", "mean": 0.0, "std": 1.0})
    torch.manual_seed(0)
    made.step((torch.zeros(2000, 3, 1, 1), torch.zeros(2000, dtype=torch.int64)), 0.0, Tensor.backward)
    at = log_snr(SCHEDULE)[recorder.seen[0][1]]
    assert abs(at.mean()) < 0.1 and at.std().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("clip", "largest"), [(1e-3, 1e-3), (0.0, None)])
def test_the_gradient_is_clipped_unless_the_clip_is_0(clip: float, largest: float | None) -> None:
    made, recorder = method(gradient_clip=clip)
    torch.manual_seed(0)
    values = made.step((torch.rand(4, 3, 4, 4), torch.zeros(4, dtype=torch.int64)), 0.0, Tensor.backward)
    assert recorder.weight.grad is not None
    expected = values["gradient_norm"].item() if largest is None else largest
    assert recorder.weight.grad.abs().item() == pytest.approx(expected, rel=1e-3)
    assert values["gradient_norm"].item() > 1e-2


def test_optimizers_are_the_reports() -> None:
    for name, decay in (("adam", 0.0), ("adamw", 0.01)):
        made, _ = method(optimizer=name, weight_decay=decay, learning_rate=3e-4)
        optimizer = made.optimizers["network"]
        assert type(optimizer).__name__.lower() == name
        assert optimizer.param_groups[0]["lr"] == 3e-4 and optimizer.param_groups[0]["weight_decay"] == decay


def test_a_network_learns_which_of_two_images_a_class_is() -> None:
    """White for 0, black for 1; without a class it can only answer with the mean."""
    torch.manual_seed(0)
    values = shipped()[Diffusion].settings("context-unet").training.model_dump()
    # So much noise that these images cannot be told apart by what is left of them.
    noisy = {"density": "log-snr", "mean": -9.0, "std": 1.0}
    values |= {"schedule": "constant", "learning_rate": 5e-3, "target": "velocity", "times": noisy}
    training = Training(**values)
    made = network("context-unet-t1000", conditioning="adaptive", patch=4)
    method = Conditional(made.train(), SCHEDULE, training)
    labels = torch.arange(2).repeat(8)
    x0 = (1 - 2.0 * labels).view(-1, 1, 1, 1).expand(-1, 3, 16, 16).contiguous()
    for _ in range(60):
        method.step((x0, labels), 0.0, Tensor.backward)
    # From pure noise, t = T - 1: v is about minus the image.
    noise = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        v = made.eval()(noise, torch.tensor([999, 999]), torch.tensor([0, 1]))
    assert v[0].mean() < -0.1 and v[1].mean() > 0.1
