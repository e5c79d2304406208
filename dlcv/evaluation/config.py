"""The typed sections `evaluation`, how every generative model is scored, and `judge`, who reads generated digits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dlcv.data.prepared import read_card
from dlcv.runtime.config import Params, Section
from dlcv.runtime.errors import UserError
from dlcv.runtime.outputs import Artifact, Outputs, Plot
from dlcv.runtime.provenance import Provenance, code_hashes

JUDGE_DIGITS = Path("data/digits/mnistm")
JUDGE = Path("out/evaluation/judge")
JUDGE_METRICS = Path("metrics/evaluation/judge.json")


class Evaluation(Section):
    """The scores of images against real ones; the same for every row of a table."""

    extractor: Literal["efficientnet_lite0", "inception"]
    inception_weights: Annotated[str, Field(min_length=1)] | None  # path of pytorch-fid's file; null downloads it
    images: Annotated[int, Field(ge=2)]  # of each model; at most as many as validate
    neighbours: Annotated[int, Field(gt=0)]  # k of precision, recall, density and coverage
    kid_subsets: Annotated[int, Field(gt=0)]
    kid_subset_size: Annotated[int, Field(ge=2)]  # images; at most as many as there are
    jackknife_groups: Annotated[int, Field(ge=2)]  # of the interval of the Fréchet distance


class Judge(Section):
    """The classifier of digits that no generator is trained with. A section of its own: faces have no part in it."""

    channels: Annotated[int, Field(gt=0)]  # of its first level
    steps: Annotated[int, Field(gt=0)]
    batch_size: Annotated[int, Field(gt=1)]
    learning_rate: Annotated[float, Field(gt=0)]  # the largest, of AdamW
    schedule: Literal["constant", "cosine"]
    weight_decay: Annotated[float, Field(ge=0)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    shift: Annotated[int, Field(ge=0, le=8)]  # pixels, at most, either way, of training images
    precision: Literal["fp32", "bf16"]


def judge_provenance(params: Params) -> Provenance:
    """What the judge's training depends on.

    Raises:
        UserError: no prepared digits, or digits without labels.
    """
    card = read_card(JUDGE_DIGITS)
    if card["label"] is None:
        raise UserError(f"the digits in {JUDGE_DIGITS} have no labels; prepare them from a source with labels")
    return Provenance(
        params={"seed": params.seed, "judge": params[Judge].model_dump()},
        data={"mnistm": card["sha256"]},
        code=code_hashes(["dlcv.evaluation.judge.train"]),
    )


def outputs(params: Params) -> Outputs:
    """Curve and weights of the judge."""
    return Outputs(
        [Plot("loss of the judge of digits", {JUDGE / "curve.csv": "loss"})],
        [Artifact("judge", JUDGE, "digit classifier that reads generated digits")],
    )


SECTIONS = {"evaluation": Evaluation, "judge": Judge}
OUTPUTS = {"evaluation": outputs}
