"""Compares the scores of a rerun with committed ones.

The files in `metrics/` are walked without knowledge of their layout: a mapping with an `interval` and one of the keys
`POINTS` is a score with an interval, any other floating-point value is a score without one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json
from dlcv.runtime.git import git

METRICS = Path("metrics")
POINTS = ("value", "mean", "accuracy")
SAME, INSIDE, OUTSIDE, DIFFERENT, MISSING, NEW = ("same bits", "inside", "outside", "different", "missing", "new")
# For the summary, in this order; a rerun passes without the failures.
MEANING = {
    SAME: "with the same bits",
    INSIDE: "inside the committed interval",
    DIFFERENT: "different without an interval",
    NEW: "new",
    OUTSIDE: "outside the committed interval",
    MISSING: "missing from the rerun",
}
FAILURES = (OUTSIDE, MISSING)


@dataclass(frozen=True)
class Score:
    """A score, and its interval if it has one."""

    value: float
    interval: tuple[float, float] | None = None


def scores_of(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Score]]:
    """The scores in the values of a JSON file, by dotted key; that of a score with an interval names its mapping."""
    point = next((key for key in POINTS if "interval" in values and isinstance(values.get(key), float)), None)
    if point is not None:
        ends = values["interval"]
        yield prefix.removesuffix("."), Score(values[point], (ends["low"], ends["high"]))
    for key, value in values.items():
        if isinstance(value, Mapping) and key != "interval":
            yield from scores_of(value, f"{prefix}{key}.")
        elif isinstance(value, float) and key != point:
            yield f"{prefix}{key}", Score(value)


def rerun(folder: Path = METRICS) -> dict[str, Score]:
    """The scores in the JSON files of `folder`, by "file:key".

    Raises:
        UserError: there is no such file, or one is not JSON.
    """
    files = sorted(folder.rglob("*.json"))
    if not files:
        raise UserError(f"there are no scores in {folder}; run `dvc repro`, in the root of the repository")
    found: dict[str, Score] = {}
    for file in files:
        try:
            found |= _named(file.relative_to(folder).as_posix(), read_json(file))
        except ValueError as error:
            raise UserError(f"{file} is not JSON ({error}); run `dvc repro` again") from None
    return found


def committed(revision: str, folder: Path = METRICS) -> dict[str, Score]:
    """As `rerun`, of the files in git at `revision`.

    Raises:
        UserError: no git, no such revision, or no scores there.
    """
    names = git("ls-tree", "-r", "--name-only", revision, "--", f"{folder.as_posix()}/").splitlines()
    found: dict[str, Score] = {}
    for name in names:
        if name.endswith(".json"):
            relative = Path(name).relative_to(folder).as_posix()
            found |= _named(relative, json.loads(git("show", f"{revision}:./{name}")))
    if not found:
        raise UserError(f"{revision} has no scores in {folder}")
    return found


def compare(old: Mapping[str, Score], new: Mapping[str, Score]) -> dict[str, str]:
    """For the name of each score: how the new one is to the old one, a key of `MEANING`."""
    return {name: _verdict(old.get(name), new.get(name)) for name in [*old, *(name for name in new if name not in old)]}


def report(revision: str = "HEAD") -> bool:
    """Print a line for each score of the working directory against those at `revision`, and a summary.

    Returns:
        Whether no score is outside its interval or missing.

    Raises:
        UserError: as `rerun` and `committed`.
    """
    old, new = committed(revision), rerun()
    verdicts = compare(old, new)
    for name, verdict in verdicts.items():
        before, after = (f"{scores[name].value:.6g}" if name in scores else "none" for scores in (old, new))
        print(f"{verdict:10} {name}: {before}" + ("" if verdict == SAME else f" -> {after}"))
    counts = Counter(verdicts.values())
    parts = [f"{counts[verdict]} {meaning}" for verdict, meaning in MEANING.items() if counts[verdict]]
    print(f"{len(verdicts)} scores against {revision}: {', '.join(parts)}")
    return not any(counts[verdict] for verdict in FAILURES)


def _verdict(old: Score | None, new: Score | None) -> str:
    if old is None or new is None:
        return NEW if old is None else MISSING
    if old.value == new.value:
        return SAME
    if old.interval is None:
        return DIFFERENT
    low, high = old.interval
    return INSIDE if low <= new.value <= high else OUTSIDE


def _named(file: str, values: Mapping[str, Any]) -> dict[str, Score]:
    return {f"{file}:{key}": score for key, score in scores_of(values)}
