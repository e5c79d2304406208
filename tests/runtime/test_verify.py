"""`dlcv verify`: the scores of a rerun against committed ones, in any layout of the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcv.runtime.config import load
from dlcv.runtime.files import write_json
from dlcv.runtime.verify import Score, compare, scores_of

Command = Callable[[str], tuple[int, str]]


def scored(value: float, key: str = "value") -> dict[str, Any]:
    return {key: value, "interval": {"low": 0.4, "high": 0.6}}


OLD = {"dcgan": {"frechet": scored(0.5), "recall": 0.25, "steps": 7}, "accuracy": scored(0.5, "accuracy")}


@pytest.fixture
def repository(study: Path) -> Path:
    """A study that is published."""
    write_json(study / "out/gan-summary/summary.json", OLD)
    known = {"params": load().resolved(), "summary": {"gan": OLD}}
    write_json(study / "results/sample/study.json", known)
    return study


def test_the_scores_of_a_file() -> None:
    values = {**OLD, "probe": scored(0.5, "mean") | {"chance": 0.1}, "left_out": [0.1], "interval": {"low": 0.0}}
    assert dict(scores_of(values)) == {
        "dcgan.frechet": Score(0.5, (0.4, 0.6)),
        "dcgan.recall": Score(0.25),
        "accuracy": Score(0.5, (0.4, 0.6)),
        "probe": Score(0.5, (0.4, 0.6)),
        "probe.chance": Score(0.1),
    }


def test_verdicts() -> None:
    old = {name: Score(0.5, (0.4, 0.6)) for name in ("same", "inside", "above", "below", "gone")}
    old |= {"same bits": Score(1.0), "other": Score(1.0)}
    values = {"same": 0.5, "inside": 0.6, "above": 0.61, "below": 0.39, "same bits": 1.0, "other": 1.0 + 1e-15}
    new = {name: Score(value, (0.0, 1.0)) for name, value in values.items()}
    assert compare(old, {**new, "more": Score(1.0)}) == {
        "same": "same bits",
        "inside": "inside",
        "above": "outside",
        "below": "outside",
        "gone": "missing",
        "same bits": "same bits",
        "other": "different",
        "more": "new",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "code", "lines", "summary"),
    [
        ({}, 0, ["same bits  gan:dcgan.frechet: 0.5"], "3 with the same bits"),
        (
            {"dcgan": {"frechet": scored(0.55), "recall": 0.3}},
            0,
            ["inside     gan:dcgan.frechet: 0.5 -> 0.55", "different  gan:dcgan.recall: 0.25 -> 0.3"],
            "1 with the same bits, 1 inside the published interval, 1 different without an interval",
        ),
        (
            {"accuracy": scored(0.7, "accuracy")},
            1,
            ["outside    gan:accuracy: 0.5 -> 0.7"],
            "2 with the same bits, 1 outside the published interval",
        ),
        (
            {"dcgan": {"frechet": scored(0.5)}},
            1,
            ["missing    gan:dcgan.recall: 0.25 -> none"],
            "2 with the same bits, 1 missing from the rerun",
        ),
    ],
)
def test_a_line_for_each_score_and_a_summary(
    repository: Path,
    dlcv: Command,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    code: int,
    lines: list[str],
    summary: str,
) -> None:
    printed: list[str] = []
    monkeypatch.setattr("builtins.print", lambda text, **_: printed.append(text))
    write_json(repository / "out/gan-summary/summary.json", OLD | changes)
    assert dlcv("verify") == (code, "")
    assert set(lines) <= set(printed)
    assert printed[-1] == f"3 scores against sample: {summary}"


@pytest.mark.slow
def test_another_study(repository: Path, dlcv: Command, set_params: Callable[[dict[str, Any]], None]) -> None:
    code, error = dlcv("verify nothing")
    assert code == 1 and error.endswith(
        "there is no published study results/nothing/study.json; `dlcv publish nothing` writes it\n"
    )
    set_params({"dann.lambda": 0.3, "gan.samples": 7})
    code, error = dlcv("verify")
    assert code == 1 and "study.json has another gan.samples and 1 more; set what it has" in error


def test_no_scores(repository: Path, dlcv: Command) -> None:
    (repository / "out/gan-summary/summary.json").unlink()
    assert dlcv("verify") == (
        1,
        "dlcv: error: there are no scores in out; run `dvc repro`, in the root of the repository\n",
    )
