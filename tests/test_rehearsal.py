"""The study in minutes, in a copy of the repository."""

from __future__ import annotations

from typing import Any

from dlcv.rehearsal import BATCH, DATA, shortened
from dlcv.runtime.config import load, validate
from dlcv.runtime.nested import flatten


def leaves(values: dict[str, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in flatten(values).items()}


def test_every_training_and_sampling_has_two_steps_and_every_network_keeps_its_size() -> None:
    before = load().raw
    changes = shortened(before, whole_batches=False)
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
    assert not any(key.endswith("batch_size") for key in shortened(load().raw, whole_batches=True))


def test_one_seed_stands_for_all() -> None:
    values: dict[str, Any] = {"gan": {"seeds": [3, 4, 5], "base": {"steps": 700}}}
    assert shortened(values, whole_batches=True) == {"gan.seeds": [3], "gan.base.steps": 2}


def test_the_shortened_parameters_are_valid() -> None:
    values = load().raw
    changes = shortened(values, whole_batches=False) | {
        f"{section}.{key}": value for section, counts in DATA.items() for key, value in counts.items()
    }
    for key, value in changes.items():
        *parents, last = key.split(".")
        node = values
        for parent in parents:
            node = node[parent]
        node[last] = value
    validate(values, "the rehearsal")
