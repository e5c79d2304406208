"""Types of values that several sections of params.yaml use."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Nonnegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


Item = TypeVar("Item")


def each_once(items: list[Item]) -> list[Item]:
    """Check that no item is there twice, and return the items."""
    if len(set(items)) < len(items):
        raise ValueError(f"has to name each once, not {items}")
    return items


Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(each_once)]  # one training for each

Schedule = Literal["constant", "cosine"]  # of the learning rate, see dlcv.engine.optimizers
Optimizer = Literal["adam", "adamw"]
Precision = Literal["fp32", "tf32", "bf16", "fp16"]  # of a training, see dlcv.engine.arithmetic

Value = TypeVar("Value", int, float)


def rising(values: list[Value]) -> list[Value]:
    """Check that each value is larger than the previous one, and return the values."""
    if sorted(set(values)) != values:
        raise ValueError(f"has to rise from value to value, not {values}")
    return values
