"""Options that several commands have, and the words of help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

# In a clone its own; in an installed package those that it was built with.
PROFILES = Path("profiles") if Path("profiles").is_dir() else Path(__file__).parent.parent / "profiles"


def seed_option(of: str, key: str, also: str = "") -> Any:
    """The option --seed, for `Annotated[int | None, ...]`.

    Args:
        of: what has the seed, in the help text.
        key: the list in params.yaml whose first seed is the default.
        also: the rest of the help text.
    """
    return typer.Option(min=0, max=2**32 - 1, help=f"of {of}; default: the first of {key} ({declared(key)}){also}")


def profiles(folder: Path = PROFILES) -> list[str]:
    """The names of the profiles."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def declared(key: str) -> str:
    """What params.yaml has under a dotted key, for a help text: "dcgan, sngan" for the list `gan.models`.

    The names are those of the study here. Outside a study they are those that ship; so they are in a params.yaml that
    is damaged, which the command itself reports and its help survives.
    """
    from dlcv.runtime.config import PATH, read_yaml, shipped
    from dlcv.runtime.errors import UserError

    for path in (PATH, shipped()):
        try:
            node: Any = read_yaml(path)
            for part in key.split("."):
                node = node[part]
            return ", ".join(map(str, node))
        except (UserError, KeyError, TypeError):
            continue
    raise LookupError(f"params.yaml has no {key}")


def example(words: str) -> str:
    """The last lines of a command's help: how it is typed."""
    return f"Example: dlcv {words}"
