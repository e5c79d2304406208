"""No step of a training or a sampler makes the host and the device wait for each other.

The steps run on the device `meta`, which has shapes and no values: a step that reads a value from the device fails, and
a dispatch mode sees what is copied to it. Every training runs at the width of profile `full`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dlcv.data.batches import Shuffled
from dlcv.diffusion.guidance import Guided
from dlcv.diffusion.samplers import ddim, ddpm
from dlcv.diffusion.schedule import linear
from dlcv.doctor.jobs import jobs
from dlcv.engine.loop import Method, to_device
from dlcv.runtime.config import Params, load
from dlcv.runtime.editing import apply_profile, set_values

REPOSITORY = Path(__file__).parent.parent.parent
META = torch.device("meta")


class Copies(TorchDispatchMode):
    """The names of the operations that copy a tensor of the host to `META`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func._schema.name in ("aten::_to_copy", "aten::copy_") and len(devices((args, kwargs, out))) > 1:
            self.found.append(func._schema.name)
        return out


class Constants(TorchFunctionMode):
    """The names of the functions that copy numbers of Python to `META`, which no dispatch mode sees."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in ("tensor", "as_tensor", "new_tensor", "asarray") and "meta" in devices(out):
            self.found.append(name)
        return out


def devices(values: Any) -> set[str]:
    """The types of the devices of all tensors in nested values."""
    return {each.device.type for each in tree_leaves(values) if isinstance(each, Tensor)}


def waits(step: Callable[[], object]) -> list[str]:
    """What a step waits for."""
    with Copies() as copies, Constants(copies.found):
        try:
            step()
        except (NotImplementedError, RuntimeError) as error:
            if "meta" not in str(error):
                raise
            return [*copies.found, f"a value of the device: {error}"]
    return copies.found


def on_meta(method: Method) -> Method:
    """`method` with its networks on `META`."""
    moved: dict[Tensor, nn.Parameter] = {}
    for network in method.networks.values():
        for module in network.train().modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    new = moved.setdefault(parameter, nn.Parameter(parameter.to(META), parameter.requires_grad))
                    module._parameters[name] = new
            for name, buffer in module._buffers.items():
                module._buffers[name] = None if buffer is None else buffer.to(META)
    for optimizer in method.optimizers.values():
        for group in optimizer.param_groups:
            group["params"] = [moved[parameter] for parameter in group["params"]]
            group["fused"] = False  # not offered on this device
            group["foreach"] = True
    return method


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # unknown on this device


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    path = tmp_path_factory.mktemp("full") / "params.yaml"
    shutil.copy(REPOSITORY / "params.yaml", path)
    apply_profile("full", path)
    # All that a step can do: augmentation, a penalty in every step, both choices of class shares.
    set_values(
        {
            "gan.sngan.augment": ["color", "translation", "cutout"],
            "gan.sngan.swap_labels": 0.1,
            "dann.information": 0.3,
            "dann.class_shares": "estimated",
            "adaptation.training.augmentation": {"rotation": 10, "shear": 0.1, "shift": 2, "scale": 0.3, "blend": 0.5}
            | {"blur": 0.5, "background": 1.0, "invert": 0.5, "noise": 0.3},
        },
        path,
    )
    return load(path)


@pytest.mark.slow
def test_no_step_waits(params: Params) -> None:
    waiting = {}
    for job in jobs(params):
        method = on_meta(job.make())
        batch = to_device(job.batch(job.batch_size), META)
        step = partial(method.step, batch, 0.5, lambda loss: loss.backward())
        waits(step)  # the first one may copy what stays
        waiting[job.name] = waits(step)
    assert len(waiting) > 20
    assert {name: found for name, found in waiting.items() if found} == {}


class Half(nn.Module):
    """Takes images, times and labels, and predicts half of the image."""

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        return x / 2


@pytest.mark.parametrize("sample", [ddim, partial(ddim, eta=1.0, clip_x0=True, rederive=True), ddpm])
@pytest.mark.parametrize("prediction", ["noise", "velocity", "x0"])
def test_no_step_of_a_sampler_waits(sample: Any, prediction: Any) -> None:
    schedule = linear(1000, 1e-4, 0.02)
    x = torch.zeros(2, 3, 8, 8, device=META)
    predict = Guided(Half(), schedule, prediction, torch.zeros(2, dtype=torch.int64, device=META), w=2.0, skip=0.5)
    assert waits(lambda: sample(predict, x, schedule, [900, 500, 20])) == []


def test_a_wait_is_seen() -> None:
    there = torch.zeros(3, device=META)
    assert waits(lambda: there + torch.zeros(3).to(META)) == ["aten::_to_copy"]
    assert waits(lambda: there.new_tensor([1.0, 2.0, 3.0])) and waits(lambda: there.new_tensor(1.0))
    assert waits(lambda: there[there == 0]) and waits(lambda: there.sum().item())
    assert not waits(lambda: torch.arange(3, device=META) * there.mean())


def test_batches_on_the_device_copy_once_for_each_epoch() -> None:
    batches = Shuffled(np.zeros((10, 4, 4, 3), dtype=np.uint8), np.zeros(10), 5, seed=0)
    batches.to(META)
    assert [len(waits(lambda: next(batches))) for _ in range(5)] == [0, 0, 1, 0, 1]
    assert next(batches)[0].device == META
