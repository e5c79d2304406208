"""The list of a folder's figures with their captions; the report prints them in this order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcv.runtime.files import write_json

FILE = "figures.json"


def made_by(stage: str, fingerprints: Mapping[str, str]) -> str:
    """The origin of figures: their stage, and the trainings with the first twelve digits of their fingerprints.

    Args:
        fingerprints: of the trainings, by name.
    """
    trainings = ", ".join(f"`{name}` `{fingerprint[:12]}`" for name, fingerprint in fingerprints.items())
    return f"Stage `{stage}`, training{'s' if len(fingerprints) > 1 else ''} {trainings}"


def write_listing(folder: Path, captions: Mapping[str, str], of: str) -> None:
    """Write `figures.json` into a folder of figures.

    Args:
        captions: by file name in `folder`, one or more full sentences about the figure.
        of: the origin of the figures, printed below each; see `made_by`.

    Raises:
        FileNotFoundError: a figure does not exist.
    """
    listed: list[dict[str, Any]] = []
    for name, caption in captions.items():
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} has a caption but does not exist")
        listed.append({"file": name, "caption": caption})
    write_json(folder / FILE, {"of": of, "figures": listed})
