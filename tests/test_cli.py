"""The `dlcv` command as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dlcv.cli import AREAS

REPOSITORY = Path(__file__).parent.parent
Command = Callable[[str], tuple[int, str]]


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a new process, with this package."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)


def test_help_lists_every_area_and_imports_nothing_heavy() -> None:
    code = """
import sys
from dlcv.__main__ import main
try:
    main()
finally:
    heavy = {"torch", "mlflow", "numpy", "pandas", "matplotlib", "sklearn", "dvc", "pydantic"} & set(sys.modules)
    print("heavy:", sorted(heavy), file=sys.stderr)
"""
    shown = python("-c", code, "--help")
    assert shown.returncode == 0
    assert "heavy: []" in shown.stderr
    for name in (*AREAS, "params", "profile", "pipeline", "repro", "verify", "tracking", "play"):
        assert f" {name} " in shown.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("adaptation train dan mnistm-usps", "no method dan; did you mean dann?"),
        ("adaptation train dann mnistm-ups", "no scenario mnistm-ups; did you mean mnistm-usps?"),
        ("adaptation train supervised mnist", "no domain mnist; did you mean mnistm?"),
        ("adaptation evaluate svhn-ups", "no scenario svhn-ups; did you mean svhn-usps?"),
        ("data digits uspss", "no domain uspss; did you mean usps?"),
        ("adaptation train dann mnistm-usps", "there is no prepared data in data/digits/mnistm; run `dvc repro"),
        ("report", "data/digits/mnistm/card.json is missing; `dvc repro` makes it"),
        ("gan train dcgn", "no model dcgn; did you mean dcgan?"),
        ("gan train sngan", "there is no prepared data in data/faces; run `dvc repro stages/data/dvc.yaml:faces`"),
        ("gan sample wgangp", "no model wgangp; did you mean wgan-gp?"),
        ("gan evaluate dcgann", "no model dcgann; did you mean dcgan?"),
        ("profile smok", "no profile smok; did you mean smoke?"),
        ("params show gan.snagn", "params.yaml has no key gan.snagn; did you mean sngan?"),
        ("pipeline", "there is no stages/"),
        ("plots-page", "there is no .dvc here"),
        ("tracking import none.jsonl", "none.jsonl cannot be read"),
    ],
)
def test_an_error_of_the_user_is_one_line_and_exit_code_1(study: Path, dlcv: Command, words: str, message: str) -> None:
    before = sorted(study.rglob("*"))
    code, error = dlcv(words)
    assert code == 1
    assert error.startswith("dlcv: error: ") and message in error
    assert error.count("\n") == 1
    assert sorted(study.rglob("*")) == before


@pytest.mark.usefixtures("study")
def test_it_is_the_same_from_the_shell() -> None:
    done = python("-m", "dlcv", "gan", "train", "dcgn")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "dlcv: error: no model dcgn; did you mean dcgan?\n"


@pytest.mark.usefixtures("study")
def test_params_are_checked_without_heavy_imports(dlcv_alone: Callable[[str], tuple[int, str, set[str]]]) -> None:
    assert dlcv_alone("params check") == (0, "", set())


@pytest.mark.usefixtures("study")
def test_params_show_prints_the_values_that_run() -> None:
    done = python("-m", "dlcv", "params", "show", "gan.sngan")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "architecture: sngan" in lines  # its own
    assert "batch_size: 16" in lines  # of the base


@pytest.mark.slow
def test_every_command_checks_all_of_params_first(study: Path, dlcv: Command) -> None:
    text = (study / "params.yaml").read_text()
    (study / "params.yaml").write_text(text.replace("\n  lambda: ", "\n  lambda: -"))
    for words in ("params check", "data digits usps", "data faces", "adaptation train supervised usps", "report"):
        code, error = dlcv(words)
        assert code == 1
        assert "params.yaml: dann.lambda: Input should be greater than or equal to 0" in error


def test_a_full_disk_is_one_line() -> None:
    code = """
import errno, dlcv.cli
from dlcv.__main__ import main
def run():
    raise OSError(errno.ENOSPC, "No space left on device", "out/x")
dlcv.cli.run = run
main()
"""
    done = python("-c", code)
    assert done.returncode == 1
    assert done.stderr == "dlcv: error: the disk is full while writing out/x; free some space and run it again\n"
