"""What every training stage does around the loop: checkpoints, tracking, and one folder in the end."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
from accelerate import Accelerator
from torch import nn

from dlcv.engine.loop import Batches, Method, train
from dlcv.engine.weights import count_parameters, save_state, save_weights
from dlcv.runtime import tracking
from dlcv.runtime.checkpoints import Checkpoints
from dlcv.runtime.files import replacing
from dlcv.runtime.provenance import Provenance


def run(
    folder: Path,  # out/AREA/NAME, where a name may have several parts
    network: str,  # of the method's networks, the one that is the result
    method: Method,
    batches: Batches,
    *,
    accelerator: Accelerator,
    provenance: Provenance,
    cards: Collection[Mapping[str, Any]],  # of the prepared sets that it reads
    about: Mapping[str, Any],  # more for the JSON beside the weights
    steps: int,
    ema_decay: float,
    averaged: Collection[str] | None = None,
    snapshots: int = 0,  # of the result, at equal distances, the last step's among them
    watch: Callable[[list[dict[str, float]]], None] = lambda curve: None,
    finish: Callable[[nn.Module], None] = lambda network: None,  # changes the result before it is written
) -> Path:
    """Train `method`, from its newest checkpoint if there is one.

    Returns:
        `folder`, with `weights.safetensors`, `weights.json`, `curve.csv` and, where snapshots were
        asked for, `snapshots/step-000500.safetensors` and so on.

    Raises:
        UserError: a loss that is not finite, or a checkpoint that cannot be read.
    """
    # "out/adaptation/mnistm-usps/dann-0" is "mnistm-usps/dann-0" of the area "adaptation".
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
    # Beside the checkpoints: a training that is resumed still has the ones from before it was killed.
    taken = checkpoints.folder / "snapshots"

    def finished(result: nn.Module) -> nn.Module:
        result = copy.deepcopy(result)
        finish(result)
        return result

    def snapshot(step: int, networks: Mapping[str, nn.Module]) -> None:
        save_state(taken / f"step-{step:06d}.safetensors", finished(networks[network]).state_dict())

    with ExitStack() as stack:
        stack.enter_context(checkpoints.held())
        tracked = tracking.Run(None)
        if accelerator.is_main_process:
            tracked = stack.enter_context(
                tracking.run(
                    name,
                    area=area,
                    params=provenance.params,
                    tags={"fingerprint": provenance.fingerprint},
                    datasets=[tracking.Dataset(card["name"], card["sha256"], card["source"]) for card in cards],
                    resume=checkpoints.run_id(),
                )
            )
        checkpoints.keep_run_id(tracked.id)
        trained = train(
            method,
            batches,
            accelerator=accelerator,
            name=name,
            steps=steps,
            checkpoints=checkpoints,
            run=tracked,
            ema_decay=ema_decay,
            averaged=averaged,
            snapshot_at={steps * part // snapshots for part in range(1, snapshots + 1)},
            snapshot=snapshot,
            watch=watch,
        )
        if accelerator.is_main_process:
            result = finished(trained.networks[network])
            facts = {"area": area, "name": name, "parameters": count_parameters(result), **about}
            with replacing(folder) as temporary:
                digest = save_weights(temporary, result.state_dict(), {**facts, **provenance.as_dict()})
                curve = pd.DataFrame(trained.curve).astype({"step": int})
                curve.to_csv(temporary / "curve.csv", index=False, float_format="%.6g")
                if snapshots:
                    shutil.copytree(taken, temporary / "snapshots")
            tracked.set_tags({"weights.sha256": digest})
            checkpoints.remove()
    return folder
