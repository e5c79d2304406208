"""The loop: resume bit for bit, averages, snapshots, and the stop at a value that is not finite."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcv.engine.arithmetic import make_accelerator
from dlcv.engine.loop import Row, Trained, summarise, train
from dlcv.engine.optimizers import make_optimizer
from dlcv.runtime.checkpoints import Checkpoints
from dlcv.runtime.errors import UserError
from dlcv.runtime.tracking import Run


class Numbers:
    """Endless random batches from a generator of their own."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(1)

    def to(self, device: torch.device) -> None:
        pass

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        return torch.randn(8, 4, generator=self.generator)

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.set_state(state["generator"])


class Regression:
    """A method with everything that has a state: BatchNorm, dropout, Adam's moments, a schedule."""

    def __init__(self, steps: int, kill_at: int = -1, nan_at: int = -1, signals: Mapping[int, int] | None = None):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1))
        self.networks: dict[str, nn.Module] = {"network": network}
        optimizer, schedule = make_optimizer(
            "adam", network.parameters(), learning_rate=1e-2, steps=steps, schedule="cosine"
        )
        self.optimizers: dict[str, torch.optim.Optimizer] = {"network": optimizer}
        self.schedulers = [schedule]
        self.kill_at, self.nan_at, self.signals = kill_at, nan_at, signals or {}
        self.seen: list[float] = []

    def step(self, batch: Tensor, progress: float, backward: Callable[[Tensor], None]) -> dict[str, Tensor]:
        self.seen.append(progress)
        loss = (self.networks["network"](batch) - batch.sum(1, keepdim=True)).square().mean()
        if len(self.seen) == self.kill_at:
            raise KeyboardInterrupt
        if len(self.seen) in self.signals:
            os.kill(os.getpid(), self.signals[len(self.seen)])
        if len(self.seen) == self.nan_at:
            loss = loss * float("nan")
        self.optimizers["network"].zero_grad()
        backward(loss)
        self.optimizers["network"].step()
        return {"loss": loss.detach(), "other": torch.tensor(1.0)}


def run(method: Regression, folder: str, steps: int = 50, **options: Any) -> Trained:
    return train(
        method,
        Numbers(),
        accelerator=make_accelerator(),
        name="regression",
        steps=steps,
        checkpoints=Checkpoints("test", folder, "f" * 64),
        run=Run(None),
        **{"ema_decay": 0.9, "log_every": 5, "checkpoint_every": 10, **options},
    )


@pytest.mark.usefixtures("study")
def test_a_killed_training_goes_on_and_equals_an_uninterrupted_one(study: Path) -> None:
    whole = run(Regression(50), "whole")
    with pytest.raises(KeyboardInterrupt):
        run(Regression(50, kill_at=37), "killed")
    assert [path.name for path in (study / ".checkpoints/test/killed").glob("*/step-*")] == ["step-000000030"]
    second = Regression(50)
    resumed = run(second, "killed")
    assert second.seen[0] == 30 / 50 and len(second.seen) == 20
    assert resumed.curve == whole.curve
    for key, value in whole.networks["network"].state_dict().items():
        assert torch.equal(value, resumed.networks["network"].state_dict()[key]), key


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("study")
def test_a_signal_writes_a_checkpoint_after_the_step_that_runs(study: Path, number: int) -> None:
    whole = run(Regression(50), "whole")
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        run(Regression(50, signals={37: number}), "stopped")
    assert signal.getsignal(number) is before
    assert [path.name for path in (study / ".checkpoints/test/stopped").glob("*/step-*")] == ["step-000000037"]
    second = Regression(50, signals={13: number})  # in the last step, which ends the training anyway
    resumed = run(second, "stopped")
    assert second.seen[0] == 37 / 50 and len(second.seen) == 13
    assert resumed.curve == whole.curve  # with the two steps of the row that the signal cut
    for key, value in whole.networks["network"].state_dict().items():
        assert torch.equal(value, resumed.networks["network"].state_dict()[key]), key


@pytest.mark.usefixtures("study")
def test_the_curve_has_the_mean_of_each_window_and_ends_with_the_last_step() -> None:
    trained = run(Regression(12), "curve", steps=12)
    assert [row["step"] for row in trained.curve] == [5, 10, 12]
    window = [{"a": torch.tensor(1.0)}, {"a": torch.tensor(4.0)}]
    assert summarise(window, 2, "x") == {"step": 2.0, "a": 2.5}


@pytest.mark.usefixtures("study")
def test_a_value_that_is_not_finite_stops_with_its_step_and_keeps_the_checkpoint(study: Path) -> None:
    with pytest.raises(UserError, match="regression: loss is nan at step 23; lower the learning rate"):
        run(Regression(50, nan_at=23), "nan")
    assert [path.name for path in (study / ".checkpoints/test/nan").glob("*/*")] == ["step-000000020"]


@pytest.mark.usefixtures("study")
def test_a_damaged_checkpoint_is_named(study: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Regression(50, kill_at=37), "damaged")
    (file,) = (study / ".checkpoints/test/damaged").glob("*/*/rank-0.pt")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot read the checkpoint .*rank-0.pt .*; remove .* to start anew"):
        run(Regression(50), "damaged")


@pytest.mark.usefixtures("study")
def test_another_fingerprint_starts_anew() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Regression(50, kill_at=37), "changed")
    assert Checkpoints("test", "changed", "f" * 64).latest() is not None
    assert Checkpoints("test", "changed", "0" * 64).latest() is None


@pytest.mark.usefixtures("study")
def test_an_unfinished_checkpoint_does_not_count() -> None:
    checkpoints = Checkpoints("test", "unfinished", "f" * 64)
    checkpoints.save(10, {"curve": []})
    assert checkpoints.latest() is None
    checkpoints.publish(10)
    state = checkpoints.latest()
    assert state is not None and state["step"] == 10
    checkpoints.remove()
    assert checkpoints.latest() is None


class Two(Regression):
    """With a second network, whose only weight grows by one in each step."""

    def __init__(self, steps: int, kill_at: int = -1):
        super().__init__(steps, kill_at)
        self.networks["other"] = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.networks["other"].weight)

    def step(self, batch: Tensor, progress: float, backward: Callable[[Tensor], None]) -> dict[str, Tensor]:
        values = super().step(batch, progress, backward)
        with torch.no_grad():
            self.networks["other"].weight.add_(1)
        return values


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize(
    ("averaged", "decay", "names"),
    [(None, 0.9, {"network", "other"}), (["network"], 0.9, {"network"}), (["other"], 0.0, set()), ([], 0.9, set())],
)
def test_only_the_networks_that_are_named_have_an_average(
    averaged: list[str] | None, decay: float, names: set[str]
) -> None:
    method = Two(12)
    last = dict(method.networks)
    trained = run(method, "averaged", steps=12, ema_decay=decay, averaged=averaged)
    assert {name for name, network in trained.networks.items() if network is not last[name]} == names
    assert last["other"].weight.item() == 12
    assert (trained.networks["other"].weight.item() < 12) == ("other" in names)
    assert not any(network.training for network in trained.networks.values())


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_snapshots_are_taken_after_their_steps_of_what_would_be_the_result(decay: float) -> None:
    taken: dict[int, dict[str, Tensor]] = {}

    def snapshot(step: int, networks: Mapping[str, nn.Module]) -> None:
        assert set(networks) == {"network", "other"}
        taken[step] = {
            f"{name}.{key}": value.clone()
            for name, network in networks.items()
            for key, value in network.state_dict().items()
        }

    options = {"ema_decay": decay, "averaged": ["network"], "snapshot": snapshot}
    trained = run(Two(12), "snapshots", steps=12, snapshot_at=[3, 7, 12, 99], **options)
    assert list(taken) == [3, 7, 12]
    assert [state["other.weight"].item() for state in taken.values()] == [3, 7, 12]
    for name, network in trained.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(taken[12][f"{name}.{key}"], value), key
    without = run(Two(12), "none", steps=12, ema_decay=decay, averaged=["network"])
    for key, value in without.networks["network"].state_dict().items():
        assert torch.equal(trained.networks["network"].state_dict()[key], value), key


@pytest.mark.usefixtures("study")
def test_a_resumed_training_takes_only_the_snapshots_after_its_checkpoint() -> None:
    steps: list[int] = []
    options = {"snapshot_at": range(5, 51, 5), "snapshot": lambda step, networks: steps.append(step)}
    with pytest.raises(KeyboardInterrupt):
        run(Regression(50, kill_at=37), "snapshots", **options)
    assert steps == [5, 10, 15, 20, 25, 30, 35]
    steps.clear()
    run(Regression(50), "snapshots", **options)
    assert steps == [35, 40, 45, 50]


@pytest.mark.usefixtures("study")
def test_watch_gets_the_curve_after_each_row_also_after_a_resume() -> None:
    seen: list[list[float]] = []

    def watch(curve: list[Row]) -> None:
        assert set(curve[-1]) == {"step", "loss", "other"}
        seen.append([row["step"] for row in curve])

    with pytest.raises(KeyboardInterrupt):
        run(Regression(50, kill_at=37), "watched", watch=watch)
    assert seen == [list(range(5, end + 1, 5)) for end in range(5, 36, 5)]
    seen.clear()
    run(Regression(50), "watched", watch=watch)
    assert seen == [list(range(5, end + 1, 5)) for end in range(35, 51, 5)]
