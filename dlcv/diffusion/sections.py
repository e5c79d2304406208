"""Typed parts of params.yaml that every diffusion model has."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dlcv.params import Section

Spacing = Literal["uniform", "uniform+1", "trailing", "quad"]
Target = Literal["noise", "velocity", "picture"]

Eta = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(gt=0, lt=1)]


class Betas(Section):
    """A linear schedule."""

    timesteps: Annotated[int, Field(ge=2)]  # T
    beta_start: Beta
    beta_end: Beta

    @model_validator(mode="after")
    def _rising(self) -> Betas:
        if self.beta_start > self.beta_end:
            raise ValueError(f"beta_start {self.beta_start} has to be at most beta_end {self.beta_end}")
        return self


class Sampling(Section):
    """How DDIM draws pictures."""

    steps: Annotated[int, Field(gt=0)]  # S, evaluations of the network for a picture
    eta: Eta  # 0: no fresh noise; 1: DDPM with the posterior's variance
    spacing: Spacing  # of the S among the T times
    clip_x0: bool  # the predicted picture to [-1, 1], in every step
    rederive_epsilon: bool  # the noise from the clipped picture; without it, what was predicted
