"""Optimizers with their schedules, and one step of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from dlcv.engine.optimizers import OPTIMIZERS, SCHEDULES, descend, make_optimizer
from dlcv.runtime.fields import Optimizer, Schedule


def rates(schedule: str | Callable[[int, int], float], steps: int) -> list[float]:
    """The learning rate before each step, and after the last one."""
    parameters = [nn.Parameter(torch.zeros(1))]
    optimizer, scheduler = make_optimizer("adam", parameters, learning_rate=2.0, steps=steps, schedule=schedule)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return [*seen, optimizer.param_groups[0]["lr"]]


@pytest.mark.parametrize(("schedule", "expected"), [("constant", [1, 1, 1, 1]), ("cosine", [0.1, 1.0, 0.5, 0.0])])
def test_a_schedule_is_a_factor_on_the_peak(schedule: str, expected: list[float]) -> None:
    seen = rates(schedule, 100)
    assert [seen[0], seen[10], seen[55], seen[100]] == pytest.approx([2 * value for value in expected], abs=1e-6)


def test_cosine_warms_up_over_a_tenth_of_the_steps_and_then_only_falls() -> None:
    seen = rates("cosine", 100)
    assert seen[:10] == pytest.approx([0.2 * step for step in range(1, 11)])
    assert all(after < before for before, after in pairwise(seen[10:]))
    assert rates("cosine", 1) == pytest.approx([2.0, 2.0])  # too few steps to fall


def test_restarts_fall_four_times_each_twice_as_long() -> None:
    seen = rates("restarts", 150)
    assert [step for step, rate in enumerate(seen) if rate == 2.0] == [0, 10, 30, 70]
    assert seen[5] == pytest.approx(1.0) and min(seen) < 0.002


def test_restarts_are_those_of_torch() -> None:
    """30 epochs of 5 steps, with T_0 = 2 epochs and T_mult = 2."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2)
    expected = []
    for _ in range(150):
        expected.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    assert rates("restarts", 150)[:150] == pytest.approx(expected, abs=1e-9)


def test_a_schedule_may_be_a_function() -> None:
    assert rates(lambda step, steps: 1 / (1 + step + steps), 2) == pytest.approx([2 / 3, 2 / 4, 2 / 5])


def test_params_offer_the_names_that_there_are() -> None:
    assert set(Optimizer.__args__) == set(OPTIMIZERS)  # type: ignore[attr-defined]
    assert set(Schedule.__args__) < set(SCHEDULES)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "expected"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_the_optimizer_gets_its_settings(name: str, expected: type) -> None:
    options = {"learning_rate": 0.1, "steps": 10, "betas": (0.5, 0.9), "weight_decay": 0.3}
    optimizer, _ = make_optimizer(name, [nn.Parameter(torch.zeros(1))], **options)  # type: ignore[arg-type]
    assert type(optimizer) is expected
    group = optimizer.param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.1, (0.5, 0.9), 0.3)


def network_and_loss() -> tuple[nn.Linear, Tensor]:
    """A network whose gradient is 3 and 4, so its norm is 5."""
    network = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(network.weight)
    return network, network(torch.tensor([3.0, 4.0])).sum()


def backward(loss: Tensor) -> None:
    torch.autograd.backward(loss)


def test_descend_makes_one_step_from_fresh_gradients() -> None:
    network, loss = network_and_loss()
    network.weight.grad = torch.full((1, 2), 100.0)  # of a step before
    assert descend(torch.optim.SGD(network.parameters(), lr=0.1), loss, backward) is None
    assert network.weight.tolist() == [pytest.approx([-0.3, -0.4])]


@pytest.mark.parametrize(("maximum", "expected"), [(1.0, [-0.06, -0.08]), (5.5, [-0.3, -0.4]), (0.0, [-0.3, -0.4])])
def test_descend_clips_the_norm_and_returns_that_before(maximum: float, expected: list[float]) -> None:
    network, loss = network_and_loss()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    norm = descend(optimizer, loss, backward, clip=(network, maximum))
    assert norm is not None and norm.item() == pytest.approx(5.0)
    assert network.weight.tolist() == [pytest.approx(expected, rel=1e-4)]


def test_a_maximum_of_zero_changes_no_bit() -> None:
    weights = []
    for clip in (False, True):
        torch.manual_seed(0)
        network = nn.Linear(50, 50)
        loss = network(torch.randn(8, 50)).square().mean()
        step = partial(descend, torch.optim.SGD(network.parameters(), lr=0.1), loss, backward)
        step(clip=(network, 0.0)) if clip else step()
        weights.append(network.weight.detach().clone())
    assert torch.equal(*weights)


def test_descend_calls_the_given_backward() -> None:
    network, loss = network_and_loss()
    seen: list[Tensor] = []

    def scaled(value: Tensor) -> None:
        seen.append(value)
        backward(10 * value)

    descend(torch.optim.SGD(network.parameters(), lr=0.1), loss, scaled)
    assert seen == [loss] and network.weight.tolist() == [pytest.approx([-3.0, -4.0])]


@pytest.fixture(autouse=True)
def accelerator() -> None:
    Accelerator()  # whose state an `AcceleratedOptimizer` reads


def scaled_backward(scaler: torch.amp.GradScaler, loss: Tensor) -> None:
    scaler.scale(loss).backward()


def test_clipping_sees_the_gradient_without_the_scale_of_fp16() -> None:
    steps = {}
    for scaled in (False, True):
        network = nn.Linear(2, 1, bias=False)
        nn.init.constant_(network.weight, 1.0)
        scaler = torch.amp.GradScaler("cpu", enabled=scaled)
        made = torch.optim.SGD(network.parameters(), lr=1.0)
        optimizer = AcceleratedOptimizer(made, device_placement=False, scaler=scaler if scaled else None)
        loss = (network.weight * torch.tensor([3.0, 4.0])).sum()
        norm = descend(optimizer, loss, partial(scaled_backward, scaler), clip=(network, 1.0))
        steps[scaled] = (norm, network.weight.detach())
    assert steps[True][0] == steps[False][0] == pytest.approx(5.0)
    assert steps[True][1].tolist() == steps[False][1].tolist()
    assert steps[True][1].tolist()[0] == pytest.approx([0.4, 0.2])


def test_an_overflow_in_fp16_leaves_the_step_out() -> None:
    network = nn.Linear(2, 1, bias=False)
    before = network.weight.detach().clone()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    optimizer = AcceleratedOptimizer(
        torch.optim.SGD(network.parameters(), lr=1.0), device_placement=False, scaler=scaler
    )
    norm = descend(optimizer, 1e30 * network.weight.sum(), partial(scaled_backward, scaler), clip=(network, 1.0))
    assert norm == 0.0 and network.weight.tolist() == before.tolist() and scaler.get_scale() < 2.0**120
