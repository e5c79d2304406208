"""Types of numbers and checks of lists that the sections of params.yaml have in common."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Nonnegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]

Value = TypeVar("Value", int, float)


def different(models: list[str]) -> list[str]:
    """The names as they are, each of them once."""
    if len(set(models)) < len(models):
        raise ValueError(f"has to name each model once, not {models}")
    return models


def rising(values: list[Value]) -> list[Value]:
    """The values as they are, each larger than the one before."""
    if sorted(set(values)) != values:
        raise ValueError(f"has to rise from value to value, not {values}")
    return values
