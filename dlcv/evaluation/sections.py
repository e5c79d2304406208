"""The typed section `evaluation` of params.yaml: how every generative model is scored."""

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
