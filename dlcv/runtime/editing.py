"""Edits of params.yaml that keep its comments: profiles, and single values.

A file in `profiles/` holds the values that differ from the shipped ones. `profiles/sample.yaml` holds the shipped ones.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from dlcv.runtime.config import PATH, has_overrides, load, parse, read_yaml, round_trip, sections, validate
from dlcv.runtime.errors import expect
from dlcv.runtime.files import replacing
from dlcv.runtime.options import PROFILES, profiles

SHIPPED = "sample"  # the profile whose values params.yaml has in the repository


def apply_profile(name: str, path: Path = PATH, folder: Path = PROFILES) -> list[str]:
    """Reset params.yaml to the values it ships with, then set those of `profiles/NAME.yaml`. Comments are kept.

    `profiles/sample.yaml` holds the shipped value of every key that another profile sets. Keys that no profile sets
    are not changed: registered data, and the user's own models and methods.

    Returns:
        One line, `key: old -> new`, for each value that changed.

    Raises:
        UserError: no such profile, or an invalid result. params.yaml is then unchanged.
    """
    expect("profile", name, profiles(folder))
    source = folder / f"{name}.yaml"
    shipped, values = read_yaml(folder / f"{SHIPPED}.yaml"), read_yaml(source)

    def change(document: Any) -> None:
        for section, model in sections().items():
            if section in shipped:
                _drop_overrides(document[section], shipped[section], model)
        _update(document, shipped)
        _update(document, values)

    return _edit(path, str(source), change)


def _drop_overrides(document: Any, shipped: dict[str, Any], model: Any) -> None:
    """Remove from the models' overrides the keys that another profile has added."""
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    for key, values in shipped.items():
        if has_overrides(model) and key not in fields and key in document:
            _keep_keys(document, key, values)
        elif has_overrides(fields.get(key)):
            _drop_overrides(document[key], values, fields[key])


def _keep_keys(parent: Any, name: str, values: dict[str, Any]) -> None:
    """Remove the keys of the mapping `parent[name]` that `values` does not have."""
    for key in list(parent[name]):
        if key not in values:
            del parent[name][key]
        elif isinstance(values[key], dict):
            _keep_keys(parent[name], key, values[key])
    if not parent[name]:
        parent[name] = CommentedMap()  # the emptied mapping would be written below its comment
        parent[name].fa.set_flow_style()


def set_values(values: dict[str, Any], path: Path = PATH) -> None:
    """Set single values of params.yaml by dotted key: `{"data.course.path": ...}`. Comments are kept.

    Raises:
        UserError: an invalid result. params.yaml is then unchanged.
    """

    def change(document: Any) -> None:
        for key, value in values.items():
            *parents, last = key.split(".")
            node = document
            for parent in parents:
                node = node[parent]
            node[last] = value

    _edit(path, str(path), change)


def _edit(path: Path, cause: str, change: Callable[[Any], None]) -> list[str]:
    """Let `change` edit params.yaml as a document with comments, write it if the result is valid, and list the changes.

    Messages about an invalid result name `cause`.
    """
    before = load(path).raw  # `change` finds its keys only in a valid file
    yaml, text = round_trip(), io.StringIO()
    document = parse(yaml, path)
    change(document)
    yaml.dump(document, text)
    after = YAML(typ="safe").load(text.getvalue())
    validate(after, cause)
    # A longer value moves the comment after it to the right, and a shorter one later does not move it back.
    lines = re.sub(r"(?<=\S) {2,}(?=# )", " ", text.getvalue())
    with replacing(path) as temporary:
        temporary.write_text(lines, encoding="utf-8")
    return _changes(before, after)


def _update(document: Any, values: dict[str, Any]) -> None:
    """Set nested values, and add keys that an override does not have yet. Unknown keys are refused by a later check."""
    for key, value in values.items():
        old = document.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            _update(old, value)
        elif isinstance(value, list) and isinstance(old, list):
            # In place, which keeps the style of the list and the comment after it.
            del old[:]
            old.extend(value)
            document[key].fa.set_flow_style()  # a list that was empty has lost its style
        else:
            document[key] = value


def _changes(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    """One line, `key: old -> new`, for each value that differs."""
    changes = []
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key, "(base)"), after.get(key, "(base)")
        if isinstance(old, dict) and isinstance(new, dict):
            changes += _changes(old, new, f"{prefix}{key}.")
        elif old != new:
            changes.append(f"{prefix}{key}: {old} -> {new}")
    return changes
