"""The time of the project's training loop, for the benchmarks that compare it with another loop."""

from __future__ import annotations

import time
from typing import Any

from dlcv.engine.arithmetic import make_accelerator
from dlcv.engine.loop import Batches, Method, train
from dlcv.runtime.checkpoints import Checkpoints
from dlcv.runtime.tracking import Run


def seconds(method: Method, batches: Batches, steps: int, **options: Any) -> float:
    """Seconds for `steps` steps with checkpoints; `options` are further arguments of `train`."""
    checkpoints, accelerator = Checkpoints("benchmark", "ours", "0" * 64), make_accelerator()
    start = time.perf_counter()
    train(
        method,
        batches,
        accelerator=accelerator,
        name="benchmark",
        steps=steps,
        checkpoints=checkpoints,
        run=Run(None),
        **options,
    )
    taken = time.perf_counter() - start
    checkpoints.remove()
    return taken
