"""What this machine has, and what the study lacks on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from dlcv.data.config import Data, Location
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.names import weights_file
from dlcv.runtime import compute, files
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError

GB = 1e9


@dataclass(frozen=True)
class Machine:
    """Name and memory in bytes of the device that trains; the same of the CPU and the disk."""

    device: str
    memory: float
    lines: list[str]


def machine() -> Machine:
    """This machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    free = shutil.disk_usage(files.root()).free
    lines = [
        f"CPU     {compute.cpu()}, {cores} cores, {memory / GB:.0f} GB of memory",
        f"disk    {free / GB:.0f} GB free",
    ]
    found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    for index, gpu in enumerate(found):
        lines.append(f"GPU {index}   {gpu.name}, {gpu.total_memory / GB:.0f} GB")
    if not found:
        lines.append("GPU     none: the CPU trains")
    lines.append(f"torch   {torch.__version__}")
    device = found[0].name if found else compute.cpu()
    return Machine(device, float(found[0].total_memory) if found else memory, lines)


def missing(params: Params) -> Iterator[str]:
    """What the study needs and this machine lacks, a line each with the cure."""
    data, evaluation = params[Data], params[Evaluation]
    wanted: dict[str, tuple[str, Location]] = {}
    if "course" in (data.digits_source, data.faces_source, *data.ddim):
        wanted["the course's data"] = ("dlcv data register PATH", data.course)
    for name in (*data.domains, "faces"):
        source = data.faces_source if name == "faces" else data.digits_source
        if source == "folder":
            wanted[f"a folder of {name}"] = (f"dlcv data register PATH --set {name}", getattr(data.folder, name))
    for what, (command, location) in wanted.items():
        if location.path is None:
            yield f"{what}: nothing is registered; run `{command}`"
        elif not (files.root() / location.path).exists():
            yield f"{what}: there is no {location.path}; put it there, or run `{command}` with the new path"
    if "public" in (data.digits_source, data.faces_source):
        folder = files.root() / "data" / "raw"
        if not folder.is_dir() or not any(folder.iterdir()):
            yield "the public data sets: the data stages download them, which needs a network"
    try:
        if weights_file(evaluation) is None and not _downloaded():
            yield (
                "Inception's weights: the evaluation downloads them, which needs a network; or set "
                "evaluation.inception_weights"
            )
    except UserError as error:
        yield str(error)


def _downloaded() -> bool:
    return any((Path(torch.hub.get_dir()) / "checkpoints").glob("pt_inception-*.pth"))
