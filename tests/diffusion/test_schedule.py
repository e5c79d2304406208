"""The noise schedule against known values, and the conversions against each other."""

from __future__ import annotations

import math

import pytest
import torch

from dlcv.diffusion.schedule import (
    eps_from_velocity,
    eps_from_x0,
    linear,
    log_snr,
    log_snr_density,
    min_snr_weights,
    noised,
    velocity,
    x0_from_eps,
)


@pytest.mark.parametrize(
    ("timesteps", "beta_end", "t", "expected"),
    [
        (400, 0.02, 399, 1.747e-2),
        (500, 0.02, 499, 6.353e-3),
        (500, 0.028, 499, 8.321e-4),
        (1000, 0.02, 999, 4.036e-5),
        (1000, 0.02, 960, 8.741e-5),
        (1000, 0.02, 961, 8.573e-5),
        (1000, 0.02, 980, 5.904e-5),
        (1000, 0.02, 981, 5.788e-5),
    ],
)
def test_alpha_bar_of_the_references(timesteps: int, beta_end: float, t: int, expected: float) -> None:
    assert linear(timesteps, 1e-4, beta_end).alpha_bar(t) == pytest.approx(expected, rel=2e-4)


def test_the_schedule_is_float64_and_ends_in_the_image() -> None:
    schedule = linear(1000, 1e-4, 0.02)
    assert schedule.betas.dtype == schedule.alpha_bars.dtype == torch.float64
    assert schedule.timesteps == 1000 and schedule.alpha_bar(-1) == 1.0
    assert schedule.alpha_bar(0) == 1 - 1e-4
    several = schedule.alpha_bar_of(torch.tensor([0, 980, 999]))
    assert several.shape == (3, 1, 1, 1) and several.dtype == torch.float64
    assert several.flatten().tolist() == [schedule.alpha_bar(t) for t in (0, 980, 999)]


def test_both_parts_of_a_schedule_go_to_a_device() -> None:
    schedule = linear(10, 1e-4, 0.02)
    assert schedule.to(torch.device("cpu")) is schedule
    moved = schedule.to(torch.device("meta"))
    assert (moved.betas.device.type, moved.alpha_bars.device.type) == ("meta", "meta")


def test_noised_images_have_the_stated_mean_and_deviation() -> None:
    x = noised(torch.full((1, 1, 300, 300), 0.5), torch.randn(1, 1, 300, 300), 0.36)
    assert x.mean().item() == pytest.approx(0.3, abs=0.02) and x.std().item() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("t", [0, 1, 500, 999])
@pytest.mark.parametrize("many", [False, True])
def test_the_conversions_invert_each_other(t: int, many: bool) -> None:
    schedule = linear(1000, 1e-4, 0.02)
    x0, eps = torch.randn(2, 3, 3, 5, 5, dtype=torch.float64)
    a = schedule.alpha_bar_of(torch.full((3,), t)) if many else schedule.alpha_bar(t)
    x = noised(x0, eps, a)
    for name, made, expected in (
        ("x0", x0_from_eps(x, eps, a), x0),
        ("eps", eps_from_x0(x, x0, a), eps),
        ("eps of velocity", eps_from_velocity(x, velocity(x0, eps, a), a), eps),
    ):
        assert (made - expected).abs().max() < 1e-9, name


def test_every_image_of_a_batch_has_its_own_time() -> None:
    schedule = linear(1000, 1e-4, 0.02)
    x0, eps = torch.randn(2, 2, 3, 4, 4)
    both = noised(x0, eps, schedule.alpha_bar_of(torch.tensor([10, 990])))
    assert both.dtype == torch.float32
    for index, t in enumerate((10, 990)):
        assert torch.allclose(both[index], noised(x0[index], eps[index], schedule.alpha_bar(t)))


def test_the_velocity_has_unit_variance_at_every_time() -> None:
    x0, eps = torch.randn(2, 4, 3, 64, 64)
    for t in (0, 300, 999):
        a = linear(1000, 1e-4, 0.02).alpha_bar(t)
        assert velocity(x0, eps, a).std().item() == pytest.approx(1, abs=0.02)
    # At the ends it is the noise and minus the image.
    assert torch.allclose(velocity(x0, eps, 1.0), eps) and torch.allclose(velocity(x0, eps, 0.0), -x0)
    assert math.isclose(linear(1000, 1e-4, 0.02).alpha_bar(999), 4.036e-5, rel_tol=1e-3)


def test_min_snr_weights_the_error_of_x0_equally_for_every_prediction() -> None:
    """An error d of x0 is an error sqrt(SNR) d of the noise, and d / sqrt(1 - a) of the velocity."""
    schedule = linear(1000, 1e-4, 0.02)
    snr = schedule.alpha_bars / (1 - schedule.alpha_bars)
    wanted = snr.clamp(max=5).float()
    assert torch.allclose(min_snr_weights(schedule, 5, "x0"), wanted)
    x0, other = torch.zeros(2, 1, 1, 1), torch.ones(2, 1, 1, 1)
    t = torch.tensor([30, 700])
    a = schedule.alpha_bar_of(t)
    x = noised(x0, torch.randn(2, 1, 1, 1), a)
    for prediction in ("noise", "velocity"):
        made = [eps_from_x0(x, image, a) for image in (x0, other)]
        if prediction == "velocity":
            made = [velocity(image, eps, a) for image, eps in zip((x0, other), made, strict=True)]
        error = (made[0] - made[1]).square().flatten()
        assert torch.allclose(min_snr_weights(schedule, 5, prediction)[t] * error, wanted[t], rtol=1e-4)
    assert (min_snr_weights(schedule, 0, "noise") == 1).all()


def test_the_density_of_times_is_normal_in_log_snr() -> None:
    schedule = linear(1000, 1e-4, 0.02)
    at = log_snr(schedule)
    assert (at.diff() < 0).all()
    for mean, std in ((0.0, 2.0), (-1.0, 1.0)):
        density = log_snr_density(schedule, mean, std).double()
        assert density.sum() == pytest.approx(1, abs=1e-5) and (density >= 0).all()
        found = (density * at).sum()
        assert found.item() == pytest.approx(mean, abs=0.05)
        assert (density * (at - found) ** 2).sum().sqrt().item() == pytest.approx(std, rel=0.05)
