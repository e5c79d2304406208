"""Writes plots and artifacts of the models in params.yaml into the areas' dvc.yaml files.

An area declares them in a dict `OUTPUTS` in its `config.py`: by the name of a folder in `stages/`, a function of the
params. The stages in the upper part of a dvc.yaml are written by hand.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dlcv.runtime.config import Params, load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import replacing
from dlcv.runtime.outputs import Outputs, Plot

MARK = "# ---- Below: written by `dlcv pipeline` from params.yaml and dlcv/{room}/config.py; do not edit. ----\n"
PACKAGE = Path(__file__).parent
STAGES = Path("stages")
UP = Path("../..")  # the root of the repository, relative to an area's dvc.yaml


def write() -> list[Path]:
    """Update the generated part of each area's dvc.yaml.

    Returns:
        The files that have changed.

    Raises:
        UserError: params.yaml is not valid, or the dvc.yaml of an area is missing.
    """
    params, changed = load(), []
    for area, (room, outputs) in areas().items():
        path = STAGES / area / "dvc.yaml"
        if not path.is_file():
            raise UserError(f"there is no {path} here; run dlcv in the root of the repository")
        before = path.read_text(encoding="utf-8")
        after = by_hand(before) + MARK.format(room=room) + text_of(outputs(params))
        if after != before:
            with replacing(path) as temporary:
                temporary.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed


def areas() -> dict[str, tuple[str, Callable[[Params], Outputs]]]:
    """By folder in `stages/`: the room that declares its outputs, and the function that returns them."""
    found: dict[str, tuple[str, Callable[[Params], Outputs]]] = {}
    for file in sorted(PACKAGE.glob("*/config.py")):
        room = file.parent.name
        if room != "runtime":
            declared = getattr(import_module(f"dlcv.{room}.config"), "OUTPUTS", {})
            found |= {area: (room, outputs) for area, outputs in declared.items()}
    return found


def by_hand(text: str) -> str:
    """The part of a dvc.yaml above `MARK`."""
    lines = text.splitlines(keepends=True)
    start = MARK.split("{")[0]
    end = next((number for number, line in enumerate(lines) if line.startswith(start)), len(lines))
    return "".join(lines[:end]).rstrip("\n") + "\n\n"


def text_of(outputs: Outputs) -> str:
    """Plots and artifacts as YAML. Paths are relative to the area's dvc.yaml."""
    document: dict[str, Any] = {}
    # DVC puts a title into a string of its page's script, which an apostrophe would end.
    charts = [{plot.title.replace("'", "’"): _entry(plot)} for plot in outputs.plots]
    if plots := [*charts, *(str(UP / path) for path in outputs.images)]:
        document["plots"] = plots
    if outputs.artifacts:
        document["artifacts"] = {
            artifact.name: {"path": str(UP / artifact.path), "type": "model", "desc": artifact.description}
            for artifact in outputs.artifacts
        }
    if not document:
        return ""
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(document, text)
    return text.getvalue()


def _entry(plot: Plot) -> dict[str, Any]:
    y = {str(UP / path): column if isinstance(column, str) else list(column) for path, column in plot.y.items()}
    return ({"template": plot.template} if plot.template else {}) | {"x": plot.x, "y": y}
