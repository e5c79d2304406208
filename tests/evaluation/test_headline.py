"""Headline scores: rounded to what their interval supports, one file for each row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlcv.evaluation import headline
from dlcv.runtime.files import read_json

REPOSITORY = Path(__file__).parent.parent.parent
PAGE = REPOSITORY / "docs" / "metrics.md"


def score(value: float, half: float | None = None, key: str = "value") -> dict[str, Any]:
    return {key: value} | ({} if half is None else {"interval": {"low": value - half, "high": value + half}})


@pytest.mark.parametrize(
    ("score", "rounded"),
    [
        (score(287.0178, 11.64), 287.0),
        (score(287.0178, 1.2), 287.0),
        (score(287.0178, 0.94), 287.02),
        (score(287.0178, 123.0), 290.0),
        (score(0.51749, 0.0309, "accuracy"), 0.517),
        (score(0.51749), 0.52),
        (score(1.0, 0.0), 1.0),
        (score(0.036984), 0.037),
    ],
)
def test_as_many_digits_as_the_interval_supports(score: dict[str, Any], rounded: float) -> None:
    assert headline.rounded(score) == rounded


def test_the_headlines_of_images() -> None:
    summary = {
        "frechet_efficientnet_lite0": score(50.0),
        "frechet_efficientnet_lite0_to_validation": score(51.0),
        "precision": score(0.5),
        "digit_accuracy": score(0.9),
        "dlib_face": {
            "frechet_dlib_face": score(0.2),
            "frechet_dlib_face_to_validation": score(0.3),
            "recall": score(0.1),
        },
    }
    found = headline.of_images(summary)
    assert found == {"frechet": score(50.0), "frechet_dlib_face": score(0.2), "accuracy": score(0.9)}
    assert headline.of_images({"fid": score(7.0), "fid_to_validation": score(8.0)}) == {"fid": score(7.0)}


def test_a_row_that_is_gone_leaves_no_file(study: Path) -> None:
    dcgan = {0: {"frechet": score(50.0, 9.0)}, 3: {"frechet": score(52.0, 9.0)}}
    gan = {"dcgan": dcgan, "sngan": {0: {"fid": score(7.0)}}}
    headline.write(Path("metrics/gan"), Path("out"), gan)
    assert read_json(Path("metrics/gan/dcgan.json")) == {"frechet": 51.0}
    details = read_json(Path("out/headline.json"))
    assert list(details) == ["gan/dcgan", "gan/sngan"]
    frechet = details["gan/dcgan"]["frechet"]
    assert [one["seed"] for one in frechet["trainings"]] == [0, 3] and frechet["value"] == 51.0 and frechet["interval"]
    headline.write(Path("metrics/gan"), Path("out"), {"sngan": {0: {"fid": score(7.0)}}})
    assert [file.name for file in Path("metrics/gan").iterdir()] == ["sngan.json"]
    headline.write(Path("metrics/vae.json"), Path("out"), {"vae": {0: {"mse": score(0.0371234)}}})
    assert read_json(Path("metrics/vae.json")) == {"mse": 0.037}
    assert list(read_json(Path("out/headline.json"))) == ["vae"]


def test_the_page_on_scores_has_every_key_its_direction_and_its_meaning() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{key}` | {'higher' if meaning.higher_is_better else 'lower'} | {meaning.text} |"
        for key, meaning in headline.SCORES.items()
    ]


@pytest.mark.slow
def test_the_committed_scores_fit_a_screen() -> None:
    assert sum(len(read_json(file)) for file in (REPOSITORY / "metrics").rglob("*.json")) <= 120
    command = [sys.executable, "-m", "dvc", "metrics", "show"]
    table = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.splitlines()
    assert 1 < len(table) <= 40 and max(map(len, table)) <= 120
