"""What is trained, and where it lies. Light to import, so that what is missing is said at once."""

from __future__ import annotations

from pathlib import Path

from dlcv.data.prepared import read_card
from dlcv.errors import UserError
from dlcv.params import Params
from dlcv.provenance import Provenance, code_hashes
from dlcv.vae.sections import Vae

FACES = Path("data/faces")
NAME = "vae"
OUT = Path("out/vae")
METRICS = Path("metrics/vae")
SIZE = 64  # pixels
VALUES = 3 * SIZE * SIZE  # of a picture


def provenance_of(params: Params) -> Provenance:
    """What the training depends on.

    Raises:
        UserError: no prepared faces of 64 pixels, or too few of them.
    """
    card = read_card(FACES, SIZE)
    if (count := card["splits"]["train"]["count"]) < 2:
        raise UserError(f"{FACES} has {count} training picture; a batch needs 2 at least")
    section = params[Vae]
    return Provenance(
        params={
            "seed": params.seed,
            "width": section.width,
            "latent": section.latent,
            "training": section.training.model_dump(),
        },
        data={"faces": card["sha256"]},
        code=code_hashes(["dlcv.vae.train"]),
    )
