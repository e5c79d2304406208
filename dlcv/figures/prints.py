"""Printed networks: `architecture.json` in a folder of figures, with every kernel, stride, padding and bias."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from dlcv.runtime.files import write_json

FILE = "architecture.json"


def write_prints(folder: Path, networks: Mapping[str, Mapping[str, nn.Module]]) -> None:
    """Print networks into `folder`.

    Args:
        networks: by title; of each its parts by name ("generator"), which may be on the device "meta".
    """
    write_json(
        folder / FILE,
        {title: {name: _printed(part) for name, part in parts.items()} for title, parts in networks.items()},
    )


def _printed(network: nn.Module) -> dict[str, Any]:
    return {"parameters": sum(values.numel() for values in network.parameters()), "text": str(network)}
