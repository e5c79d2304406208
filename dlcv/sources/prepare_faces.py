"""The stage `faces`: the faces of the chosen source into data/faces/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcv.data.config import SETS, Data
from dlcv.runtime.config import Params
from dlcv.sources import course, folder, raw, writing
from dlcv.sources.raw import RawSet

OUTPUT = Path("data/faces")
SIZE = 64


def prepare(params: Params) -> dict[str, Any]:
    """Make `data/faces/` and return its card; same params, same bytes.

    Raises:
        UserError: the source's data are missing, changed or bad; nothing is written then.
    """
    section = params[Data]
    rng = np.random.default_rng([params.seed, SETS.index("faces")])
    chosen = raw.limited(read(section, rng), section.faces.train, section.faces.val, rng)
    return writing.write(OUTPUT, "faces", section.source, SIZE, chosen)


def read(section: Data, rng: np.random.Generator) -> RawSet:
    """The faces as the source in params.yaml gives them."""
    # Each source's own dependencies are imported only where that source is chosen.
    if section.source == "sample":
        from dlcv.sources import sample_faces

        return sample_faces.read(rng)
    if section.source == "public":
        from dlcv.sources import public_faces

        return public_faces.read(section.public, rng)
    if section.source == "course":
        return course.faces(section.course)
    return folder.read("faces", section.folder.faces, rng)
