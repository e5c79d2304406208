"""What the judge is trained on, and where it lies. Light to import, so that what is missing is said at once."""

from __future__ import annotations

from pathlib import Path

from dlcv.data.prepared import read_card
from dlcv.errors import UserError
from dlcv.evaluation.sections import Judge
from dlcv.params import Params
from dlcv.provenance import Provenance, code_hashes

DIGITS = Path("data/digits/mnistm")
OUT = Path("out/evaluation/judge")
METRICS = Path("metrics/evaluation/judge.json")


def judge_provenance(params: Params) -> Provenance:
    """What the judge's training depends on.

    Raises:
        UserError: no prepared digits, or digits without labels.
    """
    card = read_card(DIGITS)
    if card["label"] is None:
        raise UserError(f"the digits in {DIGITS} have no labels; prepare them from a source with labels")
    return Provenance(
        params={"seed": params.seed, "judge": params[Judge].model_dump()},
        data={"mnistm": card["sha256"]},
        code=code_hashes(["dlcv.evaluation.judging"]),
    )
