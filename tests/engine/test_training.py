"""The folder of a training: what a finished training writes into it, and that a killed one does not change it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dlcv.engine import training
from dlcv.engine.arithmetic import make_accelerator
from dlcv.engine.loop import train
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, sha256
from dlcv.runtime.provenance import Provenance

OUT = Path("out/area/name")
STEPS = 12
PROVENANCE = ["fingerprint", "params", "data"]


class Numbers:
    """The batches 1, 2, 3 and so on."""

    def __init__(self) -> None:
        self.number = 0

    def to(self, device: torch.device) -> None:
        pass

    def __iter__(self) -> Numbers:
        return self

    def __next__(self) -> Tensor:
        self.number += 1
        return torch.tensor(float(self.number))

    def state_dict(self) -> dict[str, Any]:
        return {"number": self.number}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.number = state["number"]


class Counter:
    """The weight of `result` is the number of steps so far; the weight of `helper` is its negative."""

    def __init__(self, kill_at: int = -1, nan_at: int = -1):
        self.networks: dict[str, nn.Module] = {name: nn.Linear(1, 1, bias=False) for name in ("result", "helper")}
        for network in self.networks.values():
            nn.init.zeros_(network.weight)
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.schedulers: list[Any] = []
        self.kill_at, self.nan_at = kill_at, nan_at

    def step(self, batch: Tensor, progress: float, backward: Callable[[Tensor], None]) -> dict[str, Tensor]:
        if int(batch) == self.kill_at:
            raise KeyboardInterrupt
        with torch.no_grad():
            self.networks["result"].weight.add_(1)
            self.networks["helper"].weight.sub_(1)
        return {"loss": batch if int(batch) != self.nan_at else torch.tensor(float("nan"))}


def run(method: Counter, learning_rate: float = 0.1, **options: Any) -> Path:
    return training.train_into(
        OUT,
        "result",
        method,
        Numbers(),
        accelerator=make_accelerator(),
        provenance=Provenance({"learning_rate": learning_rate}, {"set": "d" * 64}, {"x.py": "c" * 64}),
        cards=[{"name": "set", "sha256": "d" * 64, "source": "test"}],
        about={"stage": "stages/area/dvc.yaml:train", "width": 3},
        steps=STEPS,
        ema_decay=0.0,
        **options,
    )


@pytest.fixture(autouse=True)
def _often(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "train", partial(train, log_every=3, checkpoint_every=6))


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_folder_has_weights_their_json_and_the_curve() -> None:
    assert run(Counter()) == OUT
    assert names(OUT) == ["curve.csv", "weights.json", "weights.safetensors"]
    assert load_file(OUT / "weights.safetensors")["weight"].item() == STEPS
    about = read_json(OUT / "weights.json")
    assert list(about) == ["area", "name", "parameters", "stage", "width", *PROVENANCE, "compute", "sha256"]
    assert (about["area"], about["name"], about["parameters"], about["width"]) == ("area", "name", 1, 3)
    assert about["stage"] == "stages/area/dvc.yaml:train"
    assert about["sha256"] == sha256(OUT / "weights.safetensors") and about["data"] == {"set": "d" * 64}
    curve = pd.read_csv(OUT / "curve.csv")
    assert list(curve["step"]) == [3, 6, 9, 12] and list(curve["loss"]) == [2, 5, 8, 11]


def test_finish_changes_copies_and_not_the_training() -> None:
    def add_a_hundred(network: nn.Module) -> None:
        with torch.no_grad():
            network.weight.add_(100)  # type: ignore[operator]

    run(Counter(), snapshots=3, finish=add_a_hundred)
    weights = {path.stem: load_file(path)["weight"].item() for path in sorted((OUT / "snapshots").iterdir())}
    assert weights == {"step-000004": 104, "step-000008": 108, "step-000012": 112}
    assert load_file(OUT / "weights.safetensors")["weight"].item() == 112


def test_a_killed_training_leaves_no_folder_and_resumes_with_its_snapshots(study: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Counter(kill_at=8), snapshots=3)
    assert not OUT.exists()
    assert len(list((study / ".checkpoints/area/name").glob("*/snapshots/step-000004.safetensors"))) == 1
    run(Counter(), snapshots=3)  # from step 6 on
    assert names(OUT / "snapshots") == [f"step-{step:06d}.safetensors" for step in (4, 8, 12)]
    values = [load_file(path)["weight"].item() for path in sorted((OUT / "snapshots").iterdir())]
    assert values == [4, 8, 12]
    assert not names(study / ".checkpoints") or all(name.endswith(".lock") for name in names(study / ".checkpoints"))


def test_a_failed_training_leaves_the_previous_result() -> None:
    run(Counter(), snapshots=1)
    before = {name: (OUT / name).read_bytes() for name in names(OUT)}
    with pytest.raises(UserError, match="name: loss is nan at step 7"):
        run(Counter(nan_at=7), learning_rate=9.0, snapshots=3)
    assert {name: (OUT / name).read_bytes() for name in names(OUT)} == before
    # A new result replaces the whole folder.
    run(Counter(), learning_rate=0.2)
    assert names(OUT) == ["curve.csv", "weights.json", "weights.safetensors"]


def test_a_training_with_other_parameters_does_not_resume() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Counter(kill_at=8), snapshots=6)
    method = Counter()
    run(method, learning_rate=0.2, snapshots=1)
    assert names(OUT / "snapshots") == ["step-000012.safetensors"]
    assert method.networks["result"].weight.item() == STEPS
