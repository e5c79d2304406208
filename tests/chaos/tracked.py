"""A small training that is tracked, with its evaluation, and what MLflow has of both in the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from dlcv.engine.arithmetic import make_accelerator
from dlcv.engine.training import train_into
from dlcv.runtime import tracking
from dlcv.runtime.files import read_json
from dlcv.runtime.provenance import Provenance
from tests.chaos.crash_points import STEPS, Numbers, Regression

SHA = "d" * 64


class Watched(Regression):
    """Knows whether its loop runs, and which threads sent something then.

    Args:
        at: called in the middle of the loop.
    """

    def __init__(self, at: Callable[[Watched], object] = lambda method: None) -> None:
        super().__init__()
        self.at = at
        self.asked = threading.Event()
        self.threads: list[threading.Thread] = []
        self.done = 0

    @property
    def runs(self) -> bool:
        return 0 < self.done < STEPS

    def step(self, batch: Tensor, progress: float, backward: Callable[[Tensor], None]) -> dict[str, Tensor]:
        if self.done == STEPS // 2:
            self.at(self)
        values = super().step(batch, progress, backward)
        self.done += 1
        return values

    def sends(self) -> None:
        if self.runs:
            self.threads.append(threading.current_thread())
            self.asked.set()


def stage(method: Regression, area: str, name: str = "name") -> None:
    """Train, and evaluate: scores, a figure, and scores over the steps."""
    out = Path("out") / area / name
    batches = Numbers()
    batches.generator.manual_seed(sum(name.encode()))  # an evaluation finds its training by the weights
    provenance = Provenance({"rate": 0.1}, {"set": SHA}, {name: "c" * 64})
    card = {"name": "set", "sha256": SHA, "source": "made"}
    options: dict[str, Any] = {"accelerator": make_accelerator(), "steps": STEPS, "ema_decay": 0.0}
    train_into(out, "result", method, batches, provenance=provenance, cards=[card], about={"name": name}, **options)
    figure = out.with_name(f"{name}.png")
    figure.write_bytes(b"image")
    training = tracking.Training(area, name, read_json(out / "weights.json")["sha256"], {"rate": 0.1})
    tracking.add_scores(training, {"accuracy": 0.5}, [figure], [{"step": 1, "frechet": 9.0}])
    figure.unlink()  # what is imported later is a copy


def check(area: str, names: tuple[str, ...] = ("name",)) -> None:
    """One finished run of each name, with every parameter, data set, point, score, tag and artifact once."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking.uri())
    experiment = client.get_experiment_by_name(area)
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert len(client.search_runs([experiment.experiment_id])) == len(names) and set(runs) == set(names)
    for name, run in runs.items():
        out = Path("out") / area / name
        assert run.info.status == "FINISHED" and run.data.params == {"rate": "0.1"}
        assert run.data.tags["weights.sha256"] == read_json(out / "weights.json")["sha256"]
        assert [one.dataset.name for one in run.inputs.dataset_inputs] == ["set"]
        curve = pd.read_csv(out / "curve.csv")
        assert len(curve) == STEPS // 2
        points = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
        steps = {key: sorted(point.step for point in values) for key, values in points.items()}
        assert steps == {"loss": list(curve["step"]), "accuracy": [0], "frechet": [1]}, (name, steps)
        assert [one.path for one in client.list_artifacts(run.info.run_id, "figures")] == [f"figures/{name}.png"]
