"""The stage `train`: one method on one domain or scenario, to weights and a curve."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch

from dlcv import stage
from dlcv.adaptation.networks import NETWORKS
from dlcv.adaptation.sections import Adaptation
from dlcv.adaptation.tasks import OUT, domain, domains_of, provenance_of
from dlcv.data.batches import Shuffled, Together
from dlcv.params import Params
from dlcv.training import make_accelerator, seed_everything


def run(method: str, task: str, params: Params) -> Path:
    """Train `method` on `task`: a domain for `supervised`, a scenario for every other method.

    Returns:
        The folder with `weights.safetensors`, `weights.json` and `curve.csv`.

    Raises:
        UserError: an unknown method or task, no prepared data, or a loss that is not finite.
    """
    name = f"{method}-{task}"
    section = params[Adaptation]
    training = section.training
    provenance = provenance_of(method, task, params)
    domains = {role: domain(named, "train") for role, named in domains_of(method, task, params).items()}

    accelerator = make_accelerator(training.precision)
    seed_everything(params.seed)
    network = NETWORKS[section.network](training.dropout, training.instance_norm)
    network = network.to(memory_format=torch.channels_last)
    # Only the chosen method is imported, so that a new method makes no other training stale.
    trainer = import_module(f"dlcv.adaptation.{method}").build(network, params)
    # Every set of every process has an order of its own.
    first = 1000 * params.seed + len(domains) * accelerator.process_index
    batches = Together(
        {
            role: Shuffled(part.images, part.labels, training.batch_size, seed=first + index)
            for index, (role, part) in enumerate(domains.items())
        }
    )
    return stage.run(
        OUT / name,
        "network",
        trainer,
        batches,
        accelerator=accelerator,
        provenance=provenance,
        cards=[domain.card for domain in domains.values()],
        about={"network": section.network},
        steps=training.steps,
        ema_decay=training.ema_decay,
    )
