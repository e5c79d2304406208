"""The list of a folder's figures with their captions; the report prints them in this order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcv.runtime.files import write_json

FILE = "figures.json"


def write_listing(folder: Path, captions: Mapping[str, str], of: str) -> None:
    """Write `figures.json` into a folder of figures.

    Args:
        captions: by file name in `folder`, one or more full sentences about the figure.
        of: the origin of the figures, printed below each: the stage, and the trainings with the first twelve digits
            of their fingerprints.

    Raises:
        FileNotFoundError: a figure does not exist.
    """
    listed: list[dict[str, Any]] = []
    for name, caption in captions.items():
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} has a caption but does not exist")
        listed.append({"file": name, "caption": caption})
    write_json(folder / FILE, {"of": of, "figures": listed})
