"""What can be a reference, and where it lies. Light to import, so that a wrong name is answered at once."""

from __future__ import annotations

from pathlib import Path

from dlcv.data.prepared import read_card
from dlcv.data.sections import Data
from dlcv.errors import expect
from dlcv.evaluation.extractors import weights_file
from dlcv.evaluation.faces import check_detector
from dlcv.evaluation.sections import Evaluation
from dlcv.params import Params

DATA = Path("data")
OUT = Path("out/evaluation")
METRICS = Path("metrics/evaluation")


def has_faces(name: str) -> bool:
    """Whether the face score means something for the prepared set `name`."""
    return name == "faces"


def check(name: str, params: Params) -> None:
    """Refuse what the stage `reference` could not do.

    Raises:
        UserError: no such set, it is not prepared, or the extractor's weights or dlib are missing.
    """
    expect("set", name, ["faces", *(f"digits/{domain}" for domain in params[Data].domains)])
    read_card(DATA / name)
    weights_file(params[Evaluation])
    if has_faces(name):
        check_detector()
