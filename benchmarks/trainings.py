"""The project's trainings, for the benchmarks that time them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

from accelerate.state import AcceleratorState

from dlcv.adaptation import train as adaptation
from dlcv.adaptation.trainings import trainings
from dlcv.diffusion import train_digits, train_faces
from dlcv.diffusion.config import Diffusion
from dlcv.engine import training
from dlcv.engine.loop import Batches, Method
from dlcv.evaluation.judge import train as judge
from dlcv.gan import train as gan
from dlcv.gan.config import Gan
from dlcv.runtime.config import Params
from dlcv.vae import train as vae


@dataclass(eq=False)
class Training(Exception):
    """A training as its own stage has set it up. Raised in place of the training.

    Attributes:
        options: the other arguments of `dlcv.engine.loop.train`.
    """

    method: Method
    batches: Batches
    options: dict[str, Any]


def stages(params: Params) -> Iterator[tuple[str, Callable[[], object]]]:
    """The name of every training of params.yaml, once for a method, and a call that runs it."""
    yield "judge", lambda: judge.run(params)
    for model in params[Gan].models:
        yield model, lambda model=model: gan.run(model, params)  # type: ignore[misc]
    yield "vae", lambda: vae.run(params)
    yield "ddim", lambda: train_faces.run(params)
    for model in params[Diffusion].models:
        yield model, lambda model=model: train_digits.run(model, params)  # type: ignore[misc]
    for method, tasks in trainings(params).items():
        if tasks:
            yield f"{method} {tasks[0].name}", lambda task=tasks[0]: adaptation.run(task, params)  # type: ignore[misc]


def set_up(run: Callable[[], object]) -> Training:
    """What the stage `run` would train; no step is run."""

    def instead(method: Method, batches: Batches, **options: Any) -> None:
        raise Training(method, batches, options)

    AcceleratorState._reset_state(reset_partial_state=True)  # the training before may have another precision
    with mock.patch.object(training, "train", instead):
        try:
            run()
        except Training as made:
            return made
    raise AssertionError("the stage trains nothing")
