"""What can be a reference, and where it lies. Light to import, so that a wrong name is answered at once."""

from __future__ import annotations

from pathlib import Path

from dlcv.data.config import Data
from dlcv.data.prepared import read_card
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.names import weights_file
from dlcv.evaluation.face_detector import check_detector
from dlcv.runtime.config import Params
from dlcv.runtime.errors import expect

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
