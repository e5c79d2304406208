"""What a training costs: FLOPs and memory that can be counted by hand, and a line for every training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcv.doctor import page
from dlcv.doctor.jobs import Job, jobs
from dlcv.doctor.machine import missing
from dlcv.doctor.measure import Cost, cost, extrapolated, kept
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError

pytestmark = pytest.mark.slow


class Linear:
    """One linear layer of 100 x 50."""

    def __init__(self) -> None:
        self.networks: dict[str, nn.Module] = {"network": nn.Linear(100, 50, bias=False)}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.schedulers: list[Any] = []

    def step(self, batch: Tensor, progress: float, backward: Callable[[Tensor], None]) -> dict[str, Tensor]:
        backward(self.networks["network"](batch).sum())
        return {}


def test_the_work_of_a_linear_layer() -> None:
    job = Job("test/linear", ["stage"], 10, 64, "fp32", Linear, lambda count: torch.zeros(count, 100))
    found = cost(job)
    # Forward and the gradient of the weights: two products, each with 2 x 100 x 50 operations for an image.
    assert found.flops == 64 * 2 * 2 * 100 * 50
    assert found.bytes >= 4 * 4 * 100 * 50 and 0 < found.measured <= 64 and found.seconds > 0


def test_the_time_of_a_batch_follows_from_two_smaller_ones() -> None:
    # A step of 1 s and 0.1 s for each image.
    assert extrapolated(64, (24, 3.4), (4, 1.4)) == pytest.approx(7.4)
    assert extrapolated(24, (24, 3.4), (4, 1.4)) == 3.4
    # With one number of images, in proportion; never shorter than what was measured.
    assert extrapolated(64, (4, 1.4), (4, 1.4)) == pytest.approx(22.4)
    assert extrapolated(64, (24, 3.4), (4, 3.6)) == 3.4


def test_trainings_of_one_study_may_have_different_precisions() -> None:
    for precision in ("fp32", "bf16", "fp32"):
        assert (
            cost(Job("test/linear", ["stage"], 10, 8, precision, Linear, lambda count: torch.zeros(count, 100))).flops
            > 0
        )


def test_what_is_kept_for_the_backward_pass_counts_once_and_goes() -> None:
    x = torch.ones(1000, requires_grad=True)
    with kept() as most:
        (x.exp() + x.exp()).sum().backward()
        first = most()
        assert 8000 <= first < 20_000
        x.exp().sum().backward()
        assert most() == first  # the first graph is gone


@pytest.mark.usefixtures("study")
def test_every_training_of_the_study_has_a_cost_and_no_stage_is_there_twice() -> None:
    found = list(jobs(load()))
    stages = [stage for job in found for stage in job.stages]
    assert len(set(stages)) == len(stages) > 30
    assert {"gan/wgan-gp", "ddim/unet", "adaptation/gta", "adaptation/variants/deep", "evaluation/judge"} <= {
        job.name for job in found
    }
    for job in found:
        if job.name in ("gan/wgan-gp", "evaluation/judge"):
            assert cost(job).flops > 0  # with a gradient penalty, too


def test_a_profile_is_looked_at_and_not_taken(study: Path) -> None:
    before = (study / "params.yaml").read_bytes()
    lacking = list(missing(page.params_of("full")))
    assert any("the course's data: nothing is registered; run `dlcv data register PATH`" in line for line in lacking)
    assert list(missing(page.params_of(None))) == []
    assert (study / "params.yaml").read_bytes() == before
    with pytest.raises(UserError, match="no profile nope"):
        page.params_of("nope")


@pytest.mark.usefixtures("study")
def test_the_memory_of_a_training_is_that_of_each_of_its_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "cost", lambda job: Cost(1.0, 1.0, float(len(job.name)), 1))
    found = page.memory_of_stages(None)
    assert found["stages/gan/dvc.yaml:train@sngan-0"] == len("gan/sngan")
    assert found["stages/adaptation/dvc.yaml:dann@mnistm-usps-0"] == len("adaptation/dann")


def test_a_training_that_does_not_fit_is_marked() -> None:
    job = Job("test/linear", ["a", "b"], 1000, 64, "fp32", Linear, lambda count: torch.zeros(count, 100))
    line = page.row(job, Cost(2e12, 3.6, 5e9, 64), 1.0, 4e9)
    assert line.split()[:6] == ["test/linear", "2", "1,000", "2.0000", "5.00", "1.000"]
    assert line.endswith("does not fit: lower its batch_size")
    assert not page.row(job, Cost(2e12, 3.6, 3e9, 64), 1.0, 4e9).endswith("batch_size")
