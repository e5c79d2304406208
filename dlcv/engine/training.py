"""A whole training: the loop between checkpoints, tracking and the folder of its result."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from accelerate import Accelerator
from torch import nn

from dlcv.engine.loop import Batches, Method, Row, train
from dlcv.engine.weights import count_parameters, save_state, save_weights
from dlcv.runtime import tracking
from dlcv.runtime.checkpoints import Checkpoints
from dlcv.runtime.files import replacing
from dlcv.runtime.provenance import Provenance


def train_into(
    folder: Path,  # out/AREA/NAME; NAME may have several parts
    result: str,  # the method's network that is written
    method: Method,
    batches: Batches,
    *,
    accelerator: Accelerator,
    provenance: Provenance,
    cards: Collection[Mapping[str, Any]],  # of the prepared sets that the training reads
    about: Mapping[str, Any],  # more values for weights.json; `stage` is the address of the DVC stage
    steps: int,
    ema_decay: float,  # of the averages; 0 for none
    averaged: Collection[str] | None = None,  # the networks with an average; None for all
    snapshots: int = 0,  # number of snapshots of the result, at equal distances; the last one is at the last step
    watch: Callable[[list[Row]], None] = lambda curve: None,  # gets the curve after each new row
    finish: Callable[[nn.Module], None] = lambda network: None,  # changes a copy of the result before it is written
) -> Path:
    """Train `method` and write its result into `folder`, starting from the newest checkpoint if there is one.

    Returns:
        `folder`, with `weights.safetensors`, `weights.json`, `curve.csv` and `snapshots/step-000500.safetensors` etc.

    Raises:
        UserError: a value of a step is not finite, or a checkpoint cannot be read. `folder` is then as it was.
    """
    # "out/adaptation/mnistm-usps/dann-0": area "adaptation", name "mnistm-usps/dann-0".
    _, area, *parts = folder.parts
    name = "/".join(parts)
    checkpoints = Checkpoints(
        area,
        name,
        provenance.fingerprint,
        accelerator.device.type,
        accelerator.process_index,
        accelerator.num_processes,
    )
    # Kept beside the checkpoints: a resumed training still has the snapshots from before it was killed.
    taken = checkpoints.folder / "snapshots"

    def finished(network: nn.Module) -> nn.Module:
        network = copy.deepcopy(network)
        finish(network)
        return network

    def snapshot(step: int, networks: Mapping[str, nn.Module]) -> None:
        save_state(taken / f"step-{step:06d}.safetensors", finished(networks[result]).state_dict())

    with (
        checkpoints.held(),
        tracking.run(
            name,
            area=area,
            params=provenance.params,
            tags={"fingerprint": provenance.fingerprint},
            datasets=[tracking.Dataset(card["name"], card["sha256"], card["source"]) for card in cards],
            resume=checkpoints.run_id(),
            enabled=accelerator.is_main_process,
        ) as run,
    ):
        checkpoints.keep_run_id(run.id)
        trained = train(
            method,
            batches,
            accelerator=accelerator,
            name=name,
            steps=steps,
            checkpoints=checkpoints,
            run=run,
            ema_decay=ema_decay,
            averaged=averaged,
            snapshot_at={steps * index // snapshots for index in range(1, snapshots + 1)},
            snapshot=snapshot,
            watch=watch,
        )
        if accelerator.is_main_process:
            network = finished(trained.networks[result])
            facts = {"area": area, "name": name, "parameters": count_parameters(network), **about}
            with replacing(folder) as temporary:
                sha256 = save_weights(temporary, network.state_dict(), {**facts, **provenance.as_dict()})
                curve = pd.DataFrame(trained.curve).astype({"step": int})
                curve.to_csv(temporary / "curve.csv", index=False, float_format="%.6g")
                if snapshots:
                    shutil.copytree(taken, temporary / "snapshots")
            run.set_tags({"weights.sha256": sha256})
            checkpoints.remove()
    return folder
