"""The stages that train: one method on one task, to weights and a curve."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcv.adaptation.config import Adaptation
from dlcv.adaptation.tasks import Task, domain, domains_of
from dlcv.data.batches import Shuffled, Together
from dlcv.engine import training as stage
from dlcv.engine.layers import layers
from dlcv.engine.loop import make_accelerator, seed_everything
from dlcv.engine.weights import count_parameters
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError
from dlcv.runtime.provenance import Provenance, code_hashes


def run(task: Task, params: Params, folder: Path | None = None) -> Path:
    """Train `task`.

    Args:
        folder: where the result belongs, in `out/adaptation`; `task.folder` without it.

    Returns:
        The folder with `weights.safetensors`, `weights.json` and `curve.csv`.

    Raises:
        UserError: an unknown method or task, no prepared data, several processes where the method takes one, or a
            loss that is not finite.
    """
    training = params[Adaptation].training
    roles = domains_of(task.method, task.name, params)
    domains = {role: domain(named, "train") for role, named in roles.items()}

    accelerator = make_accelerator(training.precision)
    seed_everything(task.seed)
    # Only the chosen method is imported, so that a new method makes no other training stale.
    plan = import_module(f"dlcv.adaptation.{task.method}").build(task.name, params)
    if plan.single and accelerator.num_processes > 1:
        raise UserError(f"{task.method} is trained by one process; train several scenarios side by side instead")
    provenance = Provenance(
        params={"seed": task.seed, **roles, **plan.settings},
        data={part.name: part.card["sha256"] for part in domains.values()},
        code=code_hashes(["dlcv.adaptation.train", f"dlcv.adaptation.{task.method}"]),
    )
    for network in plan.method.networks.values():
        network.to(memory_format=torch.channels_last)
    # Every set of every process has an order of its own.
    first = 1000 * task.seed + len(domains) * accelerator.process_index
    batches = Together(
        {
            role: Shuffled(part.images, part.labels, training.batch_size, seed=first + index)
            for index, (role, part) in enumerate(domains.items())
        }
    )
    images = {role: part.images for role, part in domains.items()}
    return stage.run(
        folder or task.folder,
        plan.result,
        plan.method,
        batches,
        accelerator=accelerator,
        provenance=provenance,
        cards=[domain.card for domain in domains.values()],
        about={
            "method": task.method,
            "task": task.name,
            "seed": task.seed,
            "architecture": dict(plan.architecture),
            "networks": description(plan.printed),
        },
        steps=plan.steps,
        ema_decay=plan.ema_decay,
        averaged=[plan.result],
        finish=lambda network: plan.finish(network, images),
    )


def description(printed: dict[str, tuple[nn.Module, nn.Module, Tensor]]) -> dict[str, dict[str, Any]]:
    """What the report prints of each part of a network, given as `Plan` has it: its parameters and its layers."""
    return {
        name: {"parameters": count_parameters(part), "layers": layers(shown, example, depth=1)}
        for name, (part, shown, example) in printed.items()
    }
