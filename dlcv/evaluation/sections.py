"""The typed sections `evaluation`, how every generative model is scored, and `judge`, who reads generated digits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dlcv.params import Section


class Evaluation(Section):
    """The scores of pictures against real ones; the same for every row of a table."""

    extractor: Literal["efficientnet_lite0", "inception"]
    inception_weights: Annotated[str, Field(min_length=1)] | None  # path of pytorch-fid's file; null downloads it
    pictures: Annotated[int, Field(ge=2)]  # of each model; at most as many as validate
    neighbours: Annotated[int, Field(gt=0)]  # k of precision, recall, density and coverage
    kid_subsets: Annotated[int, Field(gt=0)]
    kid_subset_size: Annotated[int, Field(ge=2)]  # pictures; at most as many as there are
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
    shift: Annotated[int, Field(ge=0, le=8)]  # pixels, at most, either way, of training pictures
    precision: Literal["fp32", "bf16"]
