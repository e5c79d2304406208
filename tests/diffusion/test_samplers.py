"""The samplers: times, moments for a Gaussian whose noise is known exactly, and agreement with diffusers.

`test_images_agree_with_diffusers` needs the development dependency diffusers and is skipped without it; the recorded
values of its DDIMScheduler are always tested.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from dlcv.diffusion.config import Ddim, Diffusion, Prediction
from dlcv.diffusion.samplers import PerImage, ddim, ddpm, noise_predictor, pairs, spaced, times_of
from dlcv.diffusion.schedule import Schedule, linear, output_of, velocity, x0_from_eps
from dlcv.runtime.errors import UserError
from tests.diffusion.conftest import nonzero_unet, shipped

SCHEDULE = linear(1000, 1e-4, 0.02)
CPU = torch.device("cpu")
SPACINGS: Any = ("uniform", "uniform+1", "trailing", "quad")


def gaussian(mean: float | Tensor, std: float, schedule: Schedule = SCHEDULE) -> Callable[[Tensor, Tensor], Tensor]:
    """The optimal noise predictor for images from N(mean, std^2)."""

    def predict(x: Tensor, t: Tensor) -> Tensor:
        a = schedule.alpha_bar_of(t).to(x.dtype)
        return (1 - a).sqrt() * (x - a.sqrt() * mean) / (a * std**2 + 1 - a)

    return predict


def moments(sample: Callable[..., Tensor], draws: int) -> tuple[float, float]:
    """Exact mean and standard deviation of a sampler's images from N(0, 1): every step is affine in x and its noise.

    The batch holds unit impulses: zeros; x = 1; then, for each step, a noise of 1 in this step only.
    """
    x = torch.zeros(2 + draws, 1, 1, 1, dtype=torch.float64)
    x[1] = 1
    drawn = itertools.count(2)

    def impulse(like: Tensor) -> Tensor:
        noise = torch.zeros_like(like)
        noise[next(drawn)] = 1
        return noise

    out = sample(x, draw=impulse).flatten()
    assert next(drawn) <= 2 + draws
    return out[0].item(), (out[1:] - out[0]).norm().item()


# Exact values, computed without this code: mean 0.3, standard deviation 0.5, linear betas, T = 1000.
ORACLE = {
    ("uniform", 10): {0.0: 0.3741, 0.5: 0.3671, 1.0: 0.3333},
    ("quad", 10): {0.0: 0.4245, 0.5: 0.4151, 1.0: 0.3729},
    ("trailing", 10): {0.0: 0.3700, 0.5: 0.3636, 1.0: 0.3335},
    ("uniform", 50): {0.0: 0.4724, 0.5: 0.4667, 1.0: 0.4441},
    ("uniform+1", 50): {0.0: 0.4727, 0.5: 0.4669, 1.0: 0.4442},
    ("quad", 50): {0.0: 0.4853, 0.5: 0.4816, 1.0: 0.4693},
    ("uniform", 100): {0.0: 0.4860, 0.5: 0.4823, 1.0: 0.4683},
    ("uniform", 1000): {0.0: 0.4985, 0.5: 0.4980, 1.0: 0.4961},
}


@pytest.mark.parametrize(
    ("spacing", "steps", "eta"), [(*key, eta) for key, stds in ORACLE.items() for eta in stds], ids=str
)
def test_the_moments_of_a_gaussian_are_the_exact_ones(spacing: Any, steps: int, eta: float) -> None:
    times = spaced(spacing, steps, 1000)
    predict = gaussian(0.3, 0.5)
    mean, std = moments(lambda x, draw: ddim(predict, x, SCHEDULE, times, eta, draw=draw), len(times))
    assert std == pytest.approx(ORACLE[spacing, steps][eta], abs=6e-5)
    low, high = (0.294, 0.3001) if spacing == "quad" else (0.2981, 0.3001)
    assert low <= mean <= high


@pytest.mark.parametrize("eta", [0.0, 0.2, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_spread_rises_with_the_steps_and_falls_with_eta(spacing: Any, eta: float) -> None:
    """This is why distances rise with eta at few steps: the images vary too little."""

    def std(steps: int, eta: float) -> float:
        times = spaced(spacing, steps, 1000)
        return moments(lambda x, draw: ddim(gaussian(0.3, 0.5), x, SCHEDULE, times, eta, draw=draw), len(times))[1]

    stds = [std(steps, eta) for steps in (5, 10, 20, 50, 100)]
    assert stds == sorted(stds) and stds[-1] < 0.5
    if eta > 0:
        assert std(10, eta) < std(10, 0.0)


def test_the_variances_of_ddpm_give_the_expected_spread() -> None:
    """For images from N(0, 1) "beta" is exact (Ho et al., section 3.2), for any times."""

    def std(mean: float, deviation: float, variance: Any, steps: int) -> float:
        times = spaced("uniform", steps, 1000)
        predict = gaussian(mean, deviation)
        return moments(lambda x, draw: ddpm(predict, x, SCHEDULE, times, variance, draw=draw), steps)[1]

    for steps in (10, 50):
        # The last step adds no noise, so its variance is missing.
        assert std(0.0, 1.0, "beta", steps) == pytest.approx(math.sqrt(1 - 1e-4), abs=1e-9)
        assert std(0.0, 1.0, "posterior", steps) < 0.99
        # "posterior" is DDIM at eta 1; "beta" spreads too far, more so with fewer steps.
        assert std(0.3, 0.5, "posterior", steps) == pytest.approx(ORACLE["uniform", steps][1.0], abs=6e-5)
    assert std(0.3, 0.5, "beta", 10) > std(0.3, 0.5, "beta", 50) > 0.51


def test_the_noise_of_a_step_is_the_papers() -> None:
    """c1 for 980 -> 960 at eta 0.2, 0.5 and 1, measured as the effect of a unit of noise."""
    for eta, expected in ((0.2, 0.113948), (0.5, 0.284871), (1.0, 0.569741)):
        seen: dict[int, Tensor] = {}
        ddim(
            lambda x, t: torch.zeros_like(x),
            torch.zeros(1, 1, 1, 1, dtype=torch.float64),
            SCHEDULE,
            [980, 960],
            eta,
            draw=torch.ones_like,
            watch=lambda t, x, x0, seen=seen: seen.update({t: x}),  # type: ignore[misc]
        )
        assert seen[960].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_ddim_at_eta_1_over_all_steps_is_ddpm_with_the_posteriors_variance() -> None:
    noises = torch.randn(1000, 2, 3, 4, 4, dtype=torch.float64)
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    base = gaussian(0.3, 0.5)

    def predict(x: Tensor, t: Tensor) -> Tensor:
        return base(x, t) + 0.1 * torch.sin(3 * x + t.view(-1, 1, 1, 1) / 200)

    for clip_x0 in (False, True):
        results = []
        # Without rederived noise, clipped x0 and eps are inconsistent, and the two samplers differ.
        for sample in (
            lambda draw, clip=clip_x0: ddim(
                predict, x, SCHEDULE, spaced("uniform", 1000, 1000), 1.0, clip_x0=clip, rederive=True, draw=draw
            ),
            lambda draw, clip=clip_x0: ddpm(predict, x, SCHEDULE, clip_x0=clip, draw=draw),
        ):
            order = iter(noises)
            results.append(sample(lambda like, order=order: next(order)))
        assert (results[0] - results[1]).abs().max() < 1e-8
        assert results[0].std() > 0.1


def test_the_spacings_are_those_of_the_references() -> None:
    assert spaced("uniform", 10, 1000) == [900, 800, 700, 600, 500, 400, 300, 200, 100, 0]
    assert spaced("uniform", 50, 1000)[:2] == [980, 960]
    course = spaced("uniform+1", 50, 1000)
    assert course == list(range(981, 0, -20)) and course[-1] == 1
    assert spaced("trailing", 10, 1000) == list(range(999, 0, -100))
    assert spaced("trailing", 3, 1000) == [999, 666, 332]
    assert {steps: len(spaced("quad", steps, 1000)) for steps in (10, 50, 100, 300)} == {
        10: 10,
        50: 49,
        100: 96,
        300: 272,
    }


def test_the_times_of_settings_are_all_where_they_name_no_number() -> None:
    settings = shipped()[Ddim].sampling.model_copy(update={"spacing": "uniform+1", "steps": 4})
    short = linear(20, 1e-4, 0.02)
    assert times_of(settings, short) == [16, 11, 6, 1]
    digits = shipped()[Diffusion].sampling.model_copy(update={"spacing": "uniform", "steps": None})
    assert times_of(digits, short) == list(range(19, -1, -1))


@pytest.mark.parametrize("spacing", SPACINGS)
def test_every_spacing_descends_without_equal_times(spacing: Any) -> None:
    for timesteps in (10, 400, 1000):
        for steps in range(1, timesteps + 1 if timesteps == 10 else 60):
            if spacing == "uniform+1" and steps == timesteps:
                continue
            times = spaced(spacing, steps, timesteps)
            assert times == sorted(set(times), reverse=True)
            assert times[-1] >= 0 and times[0] < timesteps
            assert len(times) == steps or (spacing == "quad" and len(times) < steps)
    assert all(spaced(name, 1000, 1000) == list(range(999, -1, -1)) for name in ("uniform", "trailing"))


def test_times_are_paired_from_the_list_itself() -> None:
    assert list(pairs([800, 612, 3])) == [(800, 612), (612, 3), (3, -1)]
    assert list(pairs([7])) == [(7, -1)]


@pytest.mark.parametrize(
    ("spacing", "steps", "message"),
    [
        ("uniform", 1001, "1001 steps with the spacing uniform; give 1 to 1000 of the 1000 steps in training"),
        ("uniform+1", 1000, "1000 steps with the spacing uniform+1; give 1 to 999 of"),
        ("quad", 0, "0 steps with the spacing quad; give 1 to 1000"),
    ],
)
def test_steps_that_do_not_fit_are_refused(spacing: Any, steps: int, message: str) -> None:
    with pytest.raises(UserError) as error:
        spaced(spacing, steps, 1000)
    assert str(error.value).startswith(message)


def disturbed(x: Tensor, t: Tensor) -> Tensor:
    a = SCHEDULE.alpha_bar_of(t).to(x.dtype)
    best = (1 - a).sqrt() * (x - a.sqrt() * 0.3) / (a * 0.25 + 1 - a)
    return best + 0.1 * torch.sin(3 * x + t.view(-1, 1, 1, 1) / 200)


# Results of DDIMScheduler of diffusers 0.42.1 for six values in 10 steps, by spacing, clip_sample,
# use_clipped_model_output and eta. Its betas are float32.
DIFFUSERS = {
    ("uniform", False, False, 0.0): [-0.78429, -0.10572, -0.00822, 0.64873, 0.81929, 1.38366],
    ("uniform", False, False, 0.5): [0.7156, -0.9314, 0.78036, -0.04849, 0.77422, 0.8376],
    ("uniform", True, False, 0.0): [-0.78806, -0.1187, -0.00398, 0.55431, 0.8458, 1.0],
    ("uniform", True, False, 0.5): [0.6697, -0.99249, 0.78036, -0.08606, 0.78903, 0.76541],
    ("uniform", True, True, 0.0): [-0.78648, -0.11143, -0.00599, 0.60956, 0.83441, 1.0],
    ("uniform", True, True, 0.5): [0.68788, -0.96965, 0.78036, -0.07171, 0.7831, 0.79208],
    ("uniform+1", False, False, 0.0): [-0.78815, -0.10745, -0.00939, 0.65007, 0.82108, 1.38813],
    ("uniform+1", False, False, 0.5): [0.72089, -0.93808, 0.78503, -0.05092, 0.77588, 0.83872],
    ("uniform+1", True, False, 0.0): [-0.7929, -0.12062, -0.00516, 0.55575, 0.84764, 1.0],
    ("uniform+1", True, False, 0.5): [0.67427, -0.99935, 0.78503, -0.08856, 0.79072, 0.76626],
    ("uniform+1", True, True, 0.0): [-0.79091, -0.11325, -0.00716, 0.61091, 0.83623, 1.0],
    ("uniform+1", True, True, 0.5): [0.69271, -0.97669, 0.78503, -0.07419, 0.78478, 0.79303],
    ("trailing", False, False, 0.0): [-0.64994, -0.10587, 0.01328, 0.64001, 0.81932, 1.37403],
    ("trailing", False, False, 0.5): [0.93429, -0.9877, 0.90607, -0.07846, 0.76196, 0.78035],
    ("trailing", True, False, 0.0): [-0.80906, -0.10832, -0.00419, 0.55374, 0.84181, 1.0],
    ("trailing", True, False, 0.5): [0.85386, -1.0, 0.83108, -0.11445, 0.7802, 0.71303],
    ("trailing", True, True, 0.0): [-0.76786, -0.10783, -0.00048, 0.60084, 0.83172, 1.0],
    ("trailing", True, True, 0.5): [0.89867, -1.0, 0.86373, -0.1042, 0.77273, 0.73103],
}


@pytest.mark.parametrize(("spacing", "clip", "rederive", "eta"), DIFFUSERS, ids=str)
def test_values_agree_with_diffusers(spacing: Any, clip: bool, rederive: bool, eta: float) -> None:
    x = torch.linspace(-2.5, 2.5, 6, dtype=torch.float64).view(1, 1, 1, 6)
    noise = torch.tensor([1.0, -1.0, 0.5, -0.5, 0.2, 0.0], dtype=torch.float64).view_as(x)
    times = spaced(spacing, 10, 1000)
    drawn = ddim(disturbed, x, SCHEDULE, times, eta, clip_x0=clip, rederive=rederive, draw=lambda like: noise)
    expected = torch.tensor(DIFFUSERS[spacing, clip, rederive, eta], dtype=torch.float64)
    # A step of 1/255 is 0.008.
    assert (drawn.flatten() - expected).abs().max() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("steps", [10, 20, 50])
@pytest.mark.parametrize(
    ("spacing", "theirs"),
    [
        ("uniform", {"timestep_spacing": "leading", "steps_offset": 0}),
        ("uniform+1", {"timestep_spacing": "leading", "steps_offset": 1}),
        ("trailing", {"timestep_spacing": "trailing"}),
    ],
)
def test_images_agree_with_diffusers(spacing: Any, theirs: dict[str, Any], steps: int, clip: bool) -> None:
    """The same weights and noise: a mean squared error below 0.3 on 0..255. diffusers keeps the predicted noise."""
    diffusers = pytest.importorskip("diffusers", reason="pip install -e .[dev] brings diffusers")
    network = random_network()
    rows, columns = torch.meshgrid(torch.linspace(-0.6, 0.6, 32), torch.linspace(-0.6, 0.6, 32), indexing="ij")
    base = gaussian(torch.stack([rows, columns, rows * columns]), 0.3)

    @torch.no_grad()
    def predict(x: Tensor, t: Tensor) -> Tensor:
        return base(x, t) + 0.1 * network(x, t)

    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ours = ddim(predict, x, SCHEDULE, spaced(spacing, steps, 1000), clip_x0=clip)
    scheduler = diffusers.DDIMScheduler(clip_sample=clip, **theirs)
    scheduler.set_timesteps(steps)
    other = x
    for t in scheduler.timesteps:
        other = scheduler.step(predict(other, t.expand(2)), t, other).prev_sample
    bytes_ = [image.add(1).mul(127.5).round().clamp(0, 255) for image in (ours, other)]
    assert 20 < bytes_[0].std() < 110 and ((bytes_[0] == 0) | (bytes_[0] == 255)).float().mean() < 0.1
    assert (bytes_[0] - bytes_[1]).square().mean() < 0.02


def random_network() -> nn.Module:
    """A small U-Net whose output is not zero."""
    return nonzero_unet(0, width=1 / 16, multipliers=(1, 2), blocks=1, attention=(16,), dropout=0.0, size=32)


@pytest.mark.slow
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_an_image_does_not_depend_on_its_batch(eta: float) -> None:
    network = random_network()
    x = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    times = spaced("uniform+1", 10, 1000)

    def sample(part: slice) -> Tensor:
        seeds = list(range(100, 105))[part]
        return ddim(network, x[part], SCHEDULE, times, eta, clip_x0=True, rederive=True, draw=PerImage(seeds, CPU))

    whole = sample(slice(None))
    assert whole.std() > 0.05
    for index in range(5):
        single = sample(slice(index, index + 1))
        assert (single[0] - whole[index]).mul(127.5).square().mean() < 1e-3
    assert (whole[0] - whole[1]).abs().max() > 0.1


def test_the_noise_of_each_image_is_that_of_its_seed() -> None:
    like = torch.zeros(3, 2, 4, 4)
    draw = PerImage([1, 2, 1], CPU)
    first, second = draw(like), draw(like)
    assert torch.equal(first[0], first[2]) and not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)
    assert torch.equal(PerImage([2], CPU)(like[:1])[0], first[1])
    assert draw(like.double()).dtype == torch.float64


@pytest.mark.parametrize("sample", [ddim, ddpm])
def test_a_sampler_does_not_modify_its_noise_and_shows_every_step(sample: Any) -> None:
    x = torch.randn(2, 1, 4, 4)
    before, way = x.clone(), []
    predict = gaussian(0.3, 0.5)
    out = sample(predict, x, SCHEDULE, [900, 500, 20], watch=lambda t, x, x0: way.append((t, x, x0)))
    assert torch.equal(x, before) and not out.requires_grad
    assert [t for t, _, _ in way] == [500, 20, -1]
    assert torch.equal(way[-1][1], out) and torch.allclose(way[-1][2], out, atol=1e-6)
    t = torch.full((2,), 900)
    assert torch.allclose(way[0][2], x0_from_eps(before, predict(before, t), SCHEDULE.alpha_bar(900)))
    # Later steps do not overwrite the tensors that were shown.
    assert not torch.equal(way[0][1], way[1][1])


def test_no_random_number_is_drawn_at_eta_0() -> None:
    state = torch.get_rng_state()
    ddim(gaussian(0.3, 0.5), torch.zeros(1, 1, 2, 2), SCHEDULE, spaced("uniform", 10, 1000))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("sample", [ddim, ddpm])
def test_clipping_keeps_x0_in_range(sample: Any) -> None:
    wild = lambda x, t: 3 * torch.sin(5 * x)  # noqa: E731
    for clip_x0 in (True, False):
        seen: list[float] = []
        watch = lambda t, x, x0, seen=seen: seen.append(x0.abs().max().item())  # noqa: E731
        sample(wild, torch.randn(2, 3, 8, 8), SCHEDULE, spaced("uniform", 10, 1000), clip_x0=clip_x0, watch=watch)
        assert (max(seen) <= 1) == clip_x0


def test_a_network_that_predicts_velocity_or_x0_becomes_a_noise_predictor() -> None:
    x0, eps = torch.randn(2, 2, 3, 4, 4)
    t = torch.tensor([5, 900])
    a = SCHEDULE.alpha_bar_of(t)
    x = a.sqrt().float() * x0 + (1 - a).sqrt().float() * eps
    exact = {"noise": eps, "velocity": velocity(x0, eps, a), "x0": x0}
    for prediction in get_args(Prediction):
        assert torch.equal(output_of(prediction, x0, eps, a), exact[prediction])
        predict = noise_predictor(lambda x, t, prediction=prediction: exact[prediction], SCHEDULE, prediction, CPU)
        assert torch.allclose(predict(x, t), eps, atol=1e-4)
    network = lambda x, t: x  # noqa: E731
    assert noise_predictor(network, SCHEDULE, "noise", CPU) is network


def test_the_last_step_gives_the_predicted_image() -> None:
    """alpha_bar is 1 there; with the schedule's first alpha_bar instead, noise would remain."""
    x = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    out = ddim(lambda x, t: torch.zeros_like(x), x, SCHEDULE, [0])
    assert torch.allclose(out, x / math.sqrt(1 - 1e-4), atol=1e-12)
