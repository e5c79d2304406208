"""Compares the scores of a rerun with those of a published study, which are committed.

Summaries are walked without knowledge of their layout: a mapping with an `interval` and one of the keys `POINTS` is a
score with an interval, any other floating-point value is a score without one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcv.runtime import summaries
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json
from dlcv.runtime.nested import flatten

RESULTS = Path("results")
POINTS = ("value", "mean", "accuracy")
SAME, INSIDE, OUTSIDE, DIFFERENT, MISSING, NEW = ("same bits", "inside", "outside", "different", "missing", "new")
# For the summary, in this order; a rerun passes without the failures.
MEANING = {
    SAME: "with the same bits",
    INSIDE: "inside the published interval",
    DIFFERENT: "different without an interval",
    NEW: "new",
    OUTSIDE: "outside the published interval",
    MISSING: "missing from the rerun",
}
FAILURES = (OUTSIDE, MISSING)
NO_SCORE = "review."  # parameters that no score depends on


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


def rerun() -> dict[str, Score]:
    """The scores in the working directory, by "summary:key".

    Raises:
        UserError: there are none, or a file is not JSON.
    """
    found: dict[str, Any] = {}
    for name, path in summaries.present().items():
        try:
            found[name] = read_json(path)
        except ValueError as error:
            raise UserError(f"{path} is not JSON ({error}); run `dvc repro` again") from None
    if not found:
        raise UserError(f"there are no scores in {summaries.OUT}; run `dvc repro`, in the root of the repository")
    return named(found)


def named(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Score]:
    """The scores of several summaries, by "summary:key"."""
    return {f"{name}:{key}": score for name, values in found.items() for key, score in scores_of(values)}


def published(study: str, params: Params) -> dict[str, Score]:
    """As `rerun`, of the published study `study`.

    Raises:
        UserError: there is no such study, or it has other parameters than `params`.
    """
    path = RESULTS / study / "study.json"
    if not path.is_file():
        raise UserError(f"there is no published study {path}; `dlcv publish {study}` writes it")
    known = read_json(path)
    there, here = flatten(known["params"]), flatten(params.resolved())
    others = [key for key in {**there, **here} if there.get(key) != here.get(key) and not key.startswith(NO_SCORE)]
    if others:
        count = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise UserError(f"{path} has another {others[0]}{count}; set what it has, or name another study")
    return named(known["summary"])


def compare(old: Mapping[str, Score], new: Mapping[str, Score]) -> dict[str, str]:
    """For the name of each score: how the new one is to the old one, a key of `MEANING`."""
    return {name: _verdict(old.get(name), new.get(name)) for name in [*old, *(name for name in new if name not in old)]}


def report(study: str, params: Params) -> bool:
    """Print a line for each score of the working directory against the published `study`, and a summary.

    Returns:
        Whether no score is outside its interval or missing.

    Raises:
        UserError: as `rerun` and `published`.
    """
    old, new = published(study, params), rerun()
    verdicts = compare(old, new)
    for name, verdict in verdicts.items():
        before, after = (f"{scores[name].value:.6g}" if name in scores else "none" for scores in (old, new))
        print(f"{verdict:10} {name}: {before}" + ("" if verdict == SAME else f" -> {after}"))
    counts = Counter(verdicts.values())
    parts = [f"{counts[verdict]} {meaning}" for verdict, meaning in MEANING.items() if counts[verdict]]
    print(f"{len(verdicts)} scores against {study}: {', '.join(parts)}")
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
