"""What can be trained, and where it lies. Light to import, so that a wrong name is answered at once."""

from __future__ import annotations

from pathlib import Path

from dlcv.data.prepared import read_card
from dlcv.diffusion.config import MODELS, Diffusion, Settings
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError, expect
from dlcv.runtime.provenance import Provenance, code_hashes

DIGITS = Path("data/digits/mnistm")
OUT = Path("out/diffusion")
METRICS = Path("metrics/diffusion")
JUDGE = Path("out/evaluation/judge")
REFERENCE = Path("out/evaluation/digits/mnistm")
SIZE = 28  # pixels


def settings_of(model: str, params: Params) -> Settings:
    """The settings of `model`.

    Raises:
        UserError: no such model.
    """
    expect("model", model, MODELS)
    return params[Diffusion].settings(model)


def provenance_of(model: str, params: Params) -> Provenance:
    """What a training depends on.

    Raises:
        UserError: no such model, no prepared digits, or digits without labels.
    """
    settings = settings_of(model, params)
    card = read_card(DIGITS, SIZE)
    if card["label"] is None:
        raise UserError(f"the digits in {DIGITS} have no labels; prepare them from a source with labels")
    return Provenance(
        params={"seed": params.seed, "model": model, **settings.model_dump(exclude={"guidance"})},
        data={"mnistm": card["sha256"]},
        code=code_hashes(["dlcv.diffusion.train"]),
    )


def name_of(digit: int, number: int) -> str:
    """The name of the `number`-th image, from 1, of a digit: "0_001"."""
    return f"{digit}_{number:03d}"


def digit_of(name: str) -> int:
    """The digit that the file of `name_of` shows.

    Raises:
        UserError: the name does not begin with a digit and an underscore.
    """
    digit, separator, _ = Path(name).name.partition("_")
    if not separator or len(digit) != 1 or not digit.isdecimal():
        raise UserError(f"{name} does not say which digit it shows; images are named 7_001.png")
    return int(digit)
