"""Progress with rate and time left, on stderr where that is a terminal, of what takes longer than two seconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

DELAY = 2.0  # seconds before a bar appears


def bar(what: str, total: int, unit: str = "image") -> tqdm[Any]:
    """A bar to `update`, as a context. A bar within another one disappears when it is full."""
    return tqdm(total=total, desc=what, unit=unit, delay=DELAY, leave=None, disable=None)


def over(items: Iterable[Item], what: str, unit: str = "image") -> Iterable[Item]:
    """`items`, with a bar; those without a length have no time left. Otherwise as `bar`."""
    return tqdm(items, desc=what, unit=unit, delay=DELAY, leave=None, disable=None)
