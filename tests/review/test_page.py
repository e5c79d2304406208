"""`dlcv review` in a repository with a stage whose outputs DVC keeps."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlcv.evaluation import headline
from dlcv.figures.listing import write_listing

Command = Callable[[str], tuple[int, str]]
SUMMARY = Path("out/gan-summary")
STAGE = """
stages:
  summary:
    cmd: "true"
    deps: [params.yaml]
    outs: [out/gan-summary]
    metrics: [metrics/gan: {cache: false}]
"""


def call(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def outputs(distance: float, colour: int) -> None:
    """What the stage writes."""
    score = {"value": distance, "interval": {"low": distance - 1, "high": distance + 1}}
    SUMMARY.mkdir(parents=True, exist_ok=True)
    headline.write(Path("metrics/gan"), SUMMARY, {"dcgan": {0: {"frechet": score}}, "sngan": {0: {"frechet": score}}})
    Image.fromarray(np.full((8, 8, 3), colour, np.uint8)).save(SUMMARY / "images.png")
    write_listing(SUMMARY, {"images.png": "Some images."}, "Stage `summary`")


def commit() -> None:
    call(sys.executable, "-m", "dvc", "commit", "--force", "--quiet")
    call("git", "add", "--all")
    call("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "study")


@pytest.fixture
def repository(study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished study in git."""
    monkeypatch.delenv("DVC_ROOT")
    call("git", "init", "--quiet")
    call(sys.executable, "-m", "dvc", "init", "--quiet")
    Path("dvc.yaml").write_text(STAGE)
    Path(".gitignore").write_text("/out/\n/review/\n")
    outputs(50.0, 10)
    commit()
    return study


@pytest.mark.slow
def test_what_a_change_did(repository: Path, dlcv: Command, set_params: Callable[[dict[str, Any]], None]) -> None:
    assert dlcv("review") == (0, "")
    page = Path("review/review.md").read_text()
    assert "0 headline scores differ." in page and page.count("None differs.") == 2 and "None was run again." in page

    set_params({"dann.lambda": 0.3, "review.guard": ["adaptation/*"], "review.training_std": {}})
    outputs(60.0, 200)
    call(sys.executable, "-m", "dvc", "commit", "--force", "--quiet")
    Path(".dvc/tmp/dlcv-durations.jsonl").write_text('["summary", 9.0]\n["summary", 65.0]\n')
    assert dlcv("review HEAD") == (0, "")  # the distance got worse, but nobody guards it
    page = Path("review/review.md").read_text()
    assert "2 headline scores differ: 2 worse." in page
    assert "| `dann.lambda` | `0.1` | `0.3` |" in page
    assert "| gan/dcgan | frechet ↓ | 50 | 60 | +10 (+8.59 to +11.4) | **worse** | images |" in page
    assert "1 of 1 were run again, 1 of them here, in 1:05 min one after the other." in page
    assert "![out/gan-summary/images.png, before and after](gan-summary-images.png)" in page
    with Image.open("review/gan-summary-images.png") as both:
        assert both.width > 2 * 8

    set_params({"review.guard": ["*/dcgan"]})
    assert dlcv("review HEAD")[0] == 1
    assert "guarded by `review.guard`:** `gan/dcgan frechet`." in Path("review/review.md").read_text()


@pytest.mark.slow
def test_without_the_outputs_of_the_base(repository: Path, dlcv: Command) -> None:
    shutil.rmtree(".dvc/cache")
    outputs(160.0, 200)
    Path("metrics/gan/sngan.json").unlink()
    assert dlcv("review")[0] == 1
    page = Path("review/review.md").read_text()
    assert "Outputs of HEAD are missing from DVC's cache" in page and "Gone: `gan/sngan`." in page
    assert "| gan/dcgan | frechet ↓ | 50 | 160 | +110" in page and "images and trainings" in page


@pytest.mark.slow
def test_no_such_revision(study: Path, dlcv: Command) -> None:
    call("git", "init", "--quiet")
    code, error = dlcv("review nothing")
    assert code == 1 and error.count("\n") == 1 and error.startswith("dlcv: error: git: ")
    assert not Path("review").exists()
