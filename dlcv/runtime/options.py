"""Options that several commands have."""

from __future__ import annotations

from typing import Any

import typer


def seed_option(of: str, first_of: str) -> Any:
    """The option --seed, for `Annotated[int | None, ...]`.

    Args:
        of: what has the seed, in the help text.
        first_of: the list in params.yaml whose first seed is the default.
    """
    return typer.Option(min=0, max=2**32 - 1, help=f"of {of}; default: the first of {first_of}")


def example(words: str) -> str:
    """The last lines of a command's help: how it is typed."""
    return f"Example: dlcv {words}"
