"""The typed sections `evaluation`, the scores of all generative models, and `judge`, the digit classifier; paths."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dlcv.data.prepared import read_card
from dlcv.runtime.config import Params, Section
from dlcv.runtime.errors import UserError
from dlcv.runtime.fields import BelowOne, Nonnegative, Positive, PositiveFloat, Precision, Schedule, Seeds
from dlcv.runtime.outputs import Artifact, Outputs, Plot
from dlcv.runtime.provenance import Provenance, code_hashes

DATA = Path("data")
OUT = Path("out/evaluation")
METRICS = Path("metrics/evaluation")

JUDGE_DIGITS = Path("data/digits/mnistm")
JUDGE_EVALUATION = OUT / "judge-evaluation"
JUDGE_METRICS = METRICS / "judge.json"


class InputSize(Section):
    """The side in pixels to which EfficientNet-Lite0 gets images enlarged; it was trained on 224."""

    faces: Annotated[int, Field(ge=32)]
    digits: Annotated[int, Field(ge=32)]


class Evaluation(Section):
    """How images are scored against real ones; the same for every row of a table."""

    extractor: Literal["efficientnet_lite0", "inception"]
    input_size: InputSize  # of efficientnet_lite0; inception has 299
    inception_weights: Annotated[str, Field(min_length=1)] | None  # path of pytorch-fid's file; null downloads it
    images: Annotated[int, Field(ge=2)]  # of each model; at most as many as there are validation images
    neighbours: Positive  # k of precision, recall, density and coverage
    kid_subsets: Positive
    kid_subset_size: Annotated[int, Field(ge=2)]  # images; at most as many as there are
    jackknife_groups: Annotated[int, Field(ge=2)]  # for the interval of the Fréchet distance
    dlib_face_images: Annotated[int, Field(ge=0)]  # training faces in dlib's features, at most; 0: no such scores

    @model_validator(mode="after")
    def _enough_for_neighbours(self) -> Evaluation:
        if 0 < self.dlib_face_images <= self.neighbours:
            raise ValueError(f"dlib_face_images has to be 0 or above the {self.neighbours} neighbours")
        return self


class JudgeTraining(Section):
    """How the judge is trained."""

    steps: Positive
    batch_size: Annotated[int, Field(gt=1)]
    learning_rate: PositiveFloat  # peak, of AdamW
    schedule: Schedule
    weight_decay: Nonnegative
    label_smoothing: BelowOne
    shift: Annotated[int, Field(ge=0, le=8)]  # maximum random shift of training images, in pixels
    precision: Precision


class Judge(Section):
    """The judge, a digit classifier."""

    seeds: Seeds  # a training for each; the first reads the generated digits
    channels: Positive  # of the first level
    training: JudgeTraining


def has_faces(name: str) -> bool:
    """Whether the prepared set `name` holds faces, so that it gets a face score."""
    return name == "faces"


def judge_folder(seed: int) -> Path:
    """The folder of a trained judge."""
    return OUT / "judge" / str(seed)


def judge_provenance(params: Params) -> Provenance:
    """What the judge's training depends on.

    Raises:
        UserError: no prepared digits, or digits without labels.
    """
    card = read_card(JUDGE_DIGITS)
    if card["label"] is None:
        raise UserError(f"the digits in {JUDGE_DIGITS} have no labels; prepare them from a source with labels")
    return Provenance(
        params={"seed": params.seed, "judge": params[Judge].model_dump(exclude={"seeds"})},
        data={"mnistm": card["sha256"]},
        code=code_hashes(["dlcv.evaluation.judge.train"]),
    )


def outputs(params: Params) -> Outputs:
    """Curves and weights of the judge."""
    seeds = params[Judge].seeds
    return Outputs(
        [Plot("loss of the judge", {judge_folder(seed) / "curve.csv": "loss" for seed in seeds})],
        [Artifact(f"judge-{seed}", judge_folder(seed), "classifier of generated digits") for seed in seeds],
    )


SECTIONS = {"evaluation": Evaluation, "judge": Judge}
OUTPUTS = {"evaluation": outputs}
