"""Every training computes the same with compiled networks.

The networks are traced as for a GPU; the traced graphs are run by PyTorch's own operations, not by compiled code.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from dlcv.doctor.jobs import Job, jobs
from dlcv.engine.arithmetic import compile_networks
from dlcv.runtime.config import Params, load
from dlcv.runtime.editing import apply_profile, set_values

REPOSITORY = Path(__file__).parent.parent.parent
STEPS = 4


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    path = tmp_path_factory.mktemp("smoke") / "params.yaml"
    shutil.copy(REPOSITORY / "params.yaml", path)
    apply_profile("smoke", path)
    # A penalty in every step: its gradient of a gradient cannot be compiled.
    set_values({"gan.wgan-gp.gradient_penalty_every": 1, "gan.wgan-gp.discriminator_steps": 2}, path)
    return load(path)


def values(job: Job, compiled: bool) -> list[dict[str, float]]:
    """What the first steps return. Nothing is compiled after the second one."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    method = job.make()
    for network in method.networks.values():
        network.to(memory_format=torch.channels_last).train()
    if compiled:
        compile_networks(method.networks.values(), "default", backend="aot_eager")
    batches = [job.batch(max(4, 2 * job.multiple)) for _ in range(STEPS)]
    torch.manual_seed(1)
    rows = []
    for step, batch in enumerate(batches):
        with torch._dynamo.config.patch(error_on_recompile=step > 1):
            rows.append(method.step(batch, step / STEPS, lambda loss: loss.backward()))
    return [{key: float(value) for key, value in row.items()} for row in rows]


@pytest.mark.slow
def test_every_training_computes_the_same_when_compiled(params: Params) -> None:
    names = []
    for job in jobs(params):
        names.append(job.name)
        frames = torch._dynamo.utils.counters["frames"]
        expected, found = values(job, compiled=False), values(job, compiled=True)
        assert frames["ok"] > 0, job.name
        # Adam magnifies rounding where a gradient is about zero, so later steps say little.
        for row, other in zip(expected[:3], found, strict=False):
            assert other == pytest.approx(row, rel=1e-4, abs=1e-5), job.name
    assert len(names) > 15
