"""The training stages: one method on one domain or scenario, to weights and a curve."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from dlcv.adaptation.config import METHODS, Adaptation
from dlcv.adaptation.methods.common import Plan
from dlcv.adaptation.networks.digits import Classifier
from dlcv.adaptation.trainings import Task, load_domain
from dlcv.data.batches import Shuffled, Together
from dlcv.engine.arithmetic import make_accelerator, seed_everything
from dlcv.engine.training import train_into
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError
from dlcv.runtime.provenance import Provenance, code_hashes


def run(task: Task, params: Params) -> Path:
    """Train `task`.

    Returns:
        Its folder with `weights.safetensors`, `weights.json` and `curve.csv`.

    Raises:
        UserError: no prepared data, several processes for a method that needs one, or a value that is not finite.
    """
    method = METHODS[task.method]
    training = task.params(params)[Adaptation].training
    domains = {role: load_domain(name, "train") for role, name in task.domains(params).items()}

    accelerator = make_accelerator(training.precision)
    seed_everything(task.seed)
    plan = plan_of(task, params)
    if plan.single and accelerator.num_processes > 1:
        raise UserError(f"{task.method} is trained in one process; train several scenarios at the same time instead")
    augmentation = plan.augmentation or {role: {"": training.augmentation} for role in domains}
    result = plan.method.networks[plan.result]
    assert isinstance(result, Classifier)
    about = {
        "stage": task.stage(params),
        "label_suffix": plan.label_suffix,
        "method": task.method,
        "task": task.name,
        "seed": task.seed,
        "architecture": result.architecture,
        "domain_head": plan.domain_head,
        "statistics": plan.statistics,
        "augmentation": {
            role: {viewer: values.model_dump() for viewer, values in viewers.items()}
            for role, viewers in augmentation.items()
        },
        "networks": result.description(),
    }
    for network in plan.method.networks.values():
        network.to(memory_format=torch.channels_last)
    # Each domain has its own order, different in each process.
    first = 1000 * task.seed + len(domains) * accelerator.process_index
    batches = {
        role: Shuffled(domain.images, domain.labels, training.batch_size, seed=first + index)
        for index, (role, domain) in enumerate(domains.items())
    }
    images = {role: domain.images for role, domain in domains.items()}
    return train_into(
        task.folder,
        plan.result,
        plan.method,
        Together(batches),
        accelerator=accelerator,
        provenance=Provenance(
            params=settings(task, plan, params),
            data={domain.name: domain.card["sha256"] for domain in domains.values()},
            code=code_hashes(["dlcv.adaptation.train", f"dlcv.adaptation.methods.{method.module}"]),
        ),
        cards=[domain.card for domain in domains.values()],
        about=about,
        steps=plan.steps,
        ema_decay=plan.ema_decay,
        averaged=[plan.result],
        finish=lambda network: plan.finish(network, images),
    )


def plan_of(task: Task, params: Params) -> Plan:
    """The method of `task` with new weights, ready to train."""
    # Only the file of this method is imported, so an edit of another method does not change the fingerprint.
    module = import_module(f"dlcv.adaptation.methods.{METHODS[task.method].module}")
    plan: Plan = getattr(module, task.method)(task.name, task.params(params))
    return plan


def settings(task: Task, plan: Plan, params: Params) -> dict[str, Any]:
    """Every value that decides the result, apart from data and code."""
    return {"seed": task.seed, **task.domains(params), **plan.settings}
