"""Nested mappings, flat and merged."""

from __future__ import annotations

from dlcv.runtime.nested import flatten, merged, numbers


def test_flatten_keeps_the_order() -> None:
    values = {"b": {"y": {"z": 1}, "x": [1, {"n": 2}]}, "a": None, "empty": {}}
    assert list(flatten(values).items()) == [("b.y.z", 1), ("b.x", [1, {"n": 2}]), ("a", None)]


def test_numbers_are_the_floats() -> None:
    values = {"real": {"distance": 1.5, "images": 100, "name": "x", "low": None}, "share": 0.0, "ok": True}
    assert numbers(values) == {"real.distance": 1.5, "share": 0.0}


def test_merged_replaces_values_key_by_key() -> None:
    base = {"a": 1, "b": {"x": 1, "y": {"z": 1, "w": 2}}, "c": [1, 2]}
    override = {"b": {"y": {"z": 3}}, "c": [3], "d": {"new": 1}}
    assert merged(base, override) == {"a": 1, "b": {"x": 1, "y": {"z": 3, "w": 2}}, "c": [3], "d": {"new": 1}}
    assert merged(base, {}) == base and merged({}, override) == override
    assert base == {"a": 1, "b": {"x": 1, "y": {"z": 1, "w": 2}}, "c": [1, 2]}  # unchanged


def test_a_value_and_a_mapping_replace_each_other() -> None:
    assert merged({"a": {"x": 1}}, {"a": None}) == {"a": None}
    assert merged({"a": None}, {"a": {"x": 1}}) == {"a": {"x": 1}}
