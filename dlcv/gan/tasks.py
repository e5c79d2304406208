"""What can be trained, and where it lies. Light to import, so that a wrong name is answered at once."""

from __future__ import annotations

from pathlib import Path

from dlcv.data.prepared import read_card
from dlcv.errors import UserError, expect
from dlcv.gan.sections import MODELS, Gan, Settings, Two
from dlcv.params import Params
from dlcv.provenance import Provenance, code_hashes

FACES = Path("data/faces")
OUT = Path("out/gan")
METRICS = Path("metrics/gan")
SIZE = 64  # pixels


def settings_of(model: str, params: Params) -> Settings:
    """The settings of `model`.

    Raises:
        UserError: no such model.
    """
    expect("model", model, MODELS)
    return params[Gan].settings(model)


def pair_of(name: str, params: Params) -> Two:
    """The pair `name` of `gan.pairs`.

    Raises:
        UserError: params.yaml has no such pair.
    """
    expect("pair", name, params[Gan].pairs)
    return params[Gan].pairs[name]


def provenance_of(model: str, params: Params) -> Provenance:
    """What a training depends on.

    Raises:
        UserError: no such model, no prepared faces of 64 pixels, or too few of them.
    """
    settings = settings_of(model, params)
    card = read_card(FACES, SIZE)
    count, least = card["splits"]["train"]["count"], 2 * settings.discriminator_steps
    if count < least:
        raise UserError(f"{FACES} has {count} training pictures; {model} needs {least} for a step at least")
    return Provenance(
        params={
            "seed": params.seed,
            "model": model,
            "training": params[Gan].training.model_dump(),
            "settings": settings.model_dump(),
        },
        data={"faces": card["sha256"]},
        code=code_hashes(["dlcv.gan.train"]),
    )
