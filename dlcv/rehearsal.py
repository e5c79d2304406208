"""The study of params.yaml from end to end in minutes, before it runs for days.

A copy of the repository gets the same parameters with every training cut to two steps and few images. The networks,
the data, the samplers and all stages are those of the study.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from dlcv.runtime import durations
from dlcv.runtime.config import PATH, load
from dlcv.runtime.devices import gpus
from dlcv.runtime.editing import set_values
from dlcv.runtime.errors import UserError
from dlcv.runtime.git import git

STEPS = 2  # of each training and each sampling
IMAGES = 20  # of each model; of digits, the same number of each
BATCH = 4  # on a CPU, where memory and time do not allow those of a GPU
# What replaces the value of a key wherever it stands.
SHORT: dict[str, Any] = {
    "steps": STEPS,
    "snapshots": 1,
    "samples": IMAGES,
    "images": IMAGES,
    "snapshot_images": IMAGES // 2,
    "perplexity": 5,
    "kid_subsets": 2,
    "kid_subset_size": 5,
    "jackknife_groups": 5,
}
DATA = {"data.digits": {"train": 200, "val": 60}, "data.faces": {"train": 40, "val": IMAGES}}
SLOWEST = 10  # stages that are listed


def rehearse(jobs: int) -> None:
    """Run all stages in a temporary copy of the repository, `jobs` at a time, and print what took longest.

    Raises:
        UserError: no repository, or a stage failed; then the copy is kept.
    """
    folder = Path(tempfile.mkdtemp(prefix="dlcv-rehearsal-"))
    try:
        _copy(folder)
        values = load().raw
        changes = shortened(values, gpu=bool(gpus())) | {
            f"{section}.{key}": value for section, counts in DATA.items() for key, value in counts.items()
        }
        if values["evaluation"]["extractor"] == "inception":
            changes["evaluation.inception_weights"] = str(_inception(folder))
        set_values(changes, folder / PATH)
    except BaseException:
        shutil.rmtree(folder)
        raise
    print(f"the rehearsal runs in {folder}", flush=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    done = subprocess.run(
        [sys.executable, "-m", "dlcv", "repro", "--keep-going", "--jobs", str(jobs)],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder), "DLCV_TRACKING": "off"},
        check=False,
    )
    if done.returncode:
        raise UserError(f"the rehearsal failed; its copy is kept in {folder}")
    seconds = sorted(durations.last(folder).items(), key=lambda one: -one[1])
    print(f"the rehearsal passed: {len(seconds)} stages ran; the longest, in seconds:")
    for stage, time in seconds[:SLOWEST]:
        print(f"{time:8.1f}  {stage}")
    shutil.rmtree(folder)


def shortened(values: Mapping[str, Any], *, gpu: bool, prefix: str = "") -> dict[str, Any]:
    """What a rehearsal changes: by dotted key, the new value.

    Args:
        values: of params.yaml, or of a part of it.
        gpu: whether to keep what only a GPU can do: the batch sizes, and fp16.
        prefix: the key of the part, with a dot at its end.
    """
    changes: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            changes |= shortened(value, gpu=gpu, prefix=f"{path}.")
        elif key == "seeds":
            changes[path] = value[:1]
        elif key == "batch_size" and not gpu:
            changes[path] = min(value, BATCH)
        elif value == "fp16" and not gpu:
            changes[path] = "bf16"
        elif key in SHORT:
            changes[path] = [SHORT[key]] if isinstance(value, list) else SHORT[key]
    return changes


def _copy(folder: Path) -> None:
    """Copy the repository's files as they are now, without outputs and caches."""
    for name in git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and Path(name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, folder / name)
    # DVC looks for the repository of git that it belongs to.
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)


def _inception(folder: Path) -> Path:
    """The file of pytorch-fid's weights if it is here; otherwise one with random weights, written into `folder`."""
    import torch

    from dlcv.evaluation.extractors.names import INCEPTION_FILE

    path = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_FILE
    if not path.is_file():
        path = folder / INCEPTION_FILE
        torch.save(random_inception(), path)
    return path


def random_inception() -> dict[str, Any]:
    """Weights of pytorch-fid's InceptionV3 whose features differ from image to image."""
    import torch
    from pytorch_fid import inception

    made: dict[str, Any] = {}
    # Its constructor always loads weights into the network; this is where the network can be had without them.
    with (
        mock.patch.object(inception, "load_state_dict_from_url", lambda *_, **__: {}),
        mock.patch.object(torch.nn.Module, "load_state_dict", lambda network, _: made.update(network.state_dict())),
    ):
        inception.fid_inception_v3()
    for name, value in made.items():
        if name.endswith("conv.weight"):
            torch.nn.init.kaiming_normal_(value)  # signals keep their size through 48 layers
    return made
