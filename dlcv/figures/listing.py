"""The figures of a folder with their captions, for the report, which prints them in the given order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcv.runtime.files import write_json

FILE = "figures.json"


def write_listing(folder: Path, captions: Mapping[str, str], of: str) -> None:
    """Write `figures.json` into a folder of figures.

    Args:
        captions: what each figure shows, one or more whole sentences, by the name of its file in `folder`.
        of: where the figures come from, for the line below each: the stage, and the trainings with the first twelve
            digits of their fingerprints.

    Raises:
        FileNotFoundError: a figure is not there.
    """
    listed: list[dict[str, Any]] = []
    for name, caption in captions.items():
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} has a caption and does not exist")
        listed.append({"file": name, "caption": caption})
    write_json(folder / FILE, {"of": of, "figures": listed})
