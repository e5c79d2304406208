"""The scores of a finished study with full precision: a `summary.json` in a folder of `out/` for each area or scenario.

Its name is that of the folder without `-summary` or `-evaluation`: "gan", "adaptation/mnistm-usps",
"evaluation/faces".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

METRICS = Path("metrics")
OUT = Path("out")
FILE = "summary.json"
HEADLINE = "headline.json"  # beside it


def named(paths: Iterable[Path]) -> dict[str, Path]:
    """The files called summary.json among `paths`, which are below `OUT`, by the name of what they summarise."""
    found = sorted(path for path in paths if path.name == FILE)
    return {re.sub(r"-(summary|evaluation)$", "", path.parent.relative_to(OUT).as_posix()): path for path in found}


def present() -> dict[str, Path]:
    """The summaries in the working directory, by name."""
    return named(OUT.rglob(FILE))
