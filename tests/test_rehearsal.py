"""The study in minutes, in a copy of the repository."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dlcv.rehearsal import BATCH, DATA, shortened
from dlcv.runtime.config import PATH, load
from dlcv.runtime.editing import set_values
from dlcv.runtime.nested import flatten


def leaves(values: dict[str, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in flatten(values).items()}


def test_every_training_and_sampling_has_two_steps_and_every_network_keeps_its_size() -> None:
    before = load().raw
    changes = shortened(before, gpu=False)
    for key, value in leaves(before).items():
        last = key.rsplit(".", 1)[-1]
        if last == "steps":
            assert changes[key] in (2, [2])
        if last == "batch_size":
            assert changes[key] == BATCH < value
        if last in ("width", "generator_width", "channels", "multipliers", "network", "architecture", "precision"):
            assert key not in changes
    assert changes["adaptation.tsne.perplexity"] == 5


def test_a_gpu_is_tried_with_the_batches_of_the_study() -> None:
    assert not any(key.endswith("batch_size") for key in shortened(load().raw, gpu=True))


def test_one_seed_stands_for_all() -> None:
    values: dict[str, Any] = {"gan": {"seeds": [3, 4, 5], "base": {"steps": 700}}}
    assert shortened(values, gpu=True) == {"gan.seeds": [3], "gan.base.steps": 2}


def test_fp16_is_rehearsed_on_a_gpu_only() -> None:
    values = {"training": {"precision": "fp16"}}
    assert shortened(values, gpu=False) == {"training.precision": "bf16"} and shortened(values, gpu=True) == {}


def test_the_shortened_parameters_are_valid(tmp_path: Path) -> None:
    values = load().raw
    changes = shortened(values, gpu=False) | {
        f"{section}.{key}": value for section, counts in DATA.items() for key, value in counts.items()
    }
    path = tmp_path / "params.yaml"
    shutil.copy(PATH, path)
    set_values(changes, path)
    assert load(path).raw["gan"]["base"]["steps"] == 2
