"""The names of images of digits, which say what was asked for: "7_001.png"."""

from __future__ import annotations

from pathlib import Path

from dlcv.runtime.errors import UserError


def name_of(digit: int, number: int) -> str:
    """The name of the `number`-th image of a digit, counted from 1: "0_001"."""
    return f"{digit}_{number:03d}"


def names_of(count: int) -> list[str]:
    """The names of `count` images, a multiple of 10, with the same number of each digit."""
    return [name_of(digit, number) for digit in range(10) for number in range(1, count // 10 + 1)]


def digit_of(name: str) -> int:
    """The digit in a name of `name_of`, or of a file with such a name.

    Raises:
        UserError: the name does not begin with a digit and an underscore.
    """
    digit, separator, _ = Path(name).name.partition("_")
    if not separator or len(digit) != 1 or not digit.isdecimal():
        raise UserError(f"{name} does not say which digit it shows; images are named 7_001.png")
    return int(digit)
