"""What is trained, and where it lies. Light to import, so that what is missing is said at once."""

from __future__ import annotations

from pathlib import Path

from dlcv.data.prepared import read_card
from dlcv.ddim.sections import SIZE, Ddim
from dlcv.runtime.config import Params
from dlcv.runtime.provenance import Provenance, code_hashes

FACES = Path("data/faces")
NAME = "unet"
OUT = Path("out/ddim")
METRICS = Path("metrics/ddim")


def provenance_of(params: Params) -> Provenance:
    """What the training depends on.

    Raises:
        UserError: no prepared faces of 64 pixels.
    """
    card = read_card(FACES, SIZE)
    section = params[Ddim]
    return Provenance(
        params={
            "seed": params.seed,
            "schedule": section.schedule.model_dump(),
            "network": section.network.model_dump(),
            "training": section.training.model_dump(),
        },
        data={"faces": card["sha256"]},
        code=code_hashes(["dlcv.ddim.train"]),
    )
