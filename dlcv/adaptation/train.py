"""The stage `train`: one method on one domain or scenario, to weights and a curve."""

from __future__ import annotations

from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import pandas as pd
import torch

from dlcv import tracking
from dlcv.adaptation.networks import NETWORKS
from dlcv.adaptation.sections import Adaptation
from dlcv.adaptation.tasks import OUT, domain, domains_of, provenance_of
from dlcv.checkpoints import Checkpoints
from dlcv.data.batches import Shuffled, Together
from dlcv.files import replacing
from dlcv.params import Params
from dlcv.training import make_accelerator, seed_everything, train
from dlcv.weights import count_parameters, save_weights


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
    checkpoints = Checkpoints(
        "adaptation",
        name,
        provenance.fingerprint,
        accelerator.device.type,
        accelerator.process_index,
        accelerator.num_processes,
    )
    with ExitStack() as stack:
        stack.enter_context(checkpoints.held())
        tracked = tracking.Run(None)
        if accelerator.is_main_process:
            tracked = stack.enter_context(
                tracking.run(
                    name,
                    area="adaptation",
                    params=provenance.params,
                    tags={"fingerprint": provenance.fingerprint},
                    datasets=[tracking.Dataset(d.name, d.card["sha256"], d.card["source"]) for d in domains.values()],
                    resume=checkpoints.run_id(),
                )
            )
        checkpoints.keep_run_id(tracked.id)
        trained = train(
            trainer,
            batches,
            accelerator=accelerator,
            name=name,
            steps=training.steps,
            checkpoints=checkpoints,
            run=tracked,
            ema_decay=training.ema_decay,
        )
        if accelerator.is_main_process:
            about = {
                "area": "adaptation",
                "name": name,
                "network": section.network,
                "parameters": count_parameters(trained.networks["network"]),
                **provenance.as_dict(),
            }
            with replacing(OUT / name) as folder:
                digest = save_weights(folder, trained.networks["network"].state_dict(), about)
                curve = pd.DataFrame(trained.curve).astype({"step": int})
                curve.to_csv(folder / "curve.csv", index=False, float_format="%.6g")
            tracked.set_tags({"weights.sha256": digest})
            checkpoints.remove()
    return OUT / name
