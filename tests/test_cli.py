"""The `dlcv` command as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


def dlcv(*words: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *words] if code else [sys.executable, "-m", "dlcv", *words]
    path = {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, env=os.environ | path | environment, capture_output=True, text=True, timeout=60)


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
    shown = dlcv("--help", code=code)
    assert shown.returncode == 0
    assert "heavy: []" in shown.stderr
    for area in ("data", "evaluate", "gan", "adaptation", "report", "params", "profile", "tracking"):
        assert f" {area} " in shown.stdout


@pytest.mark.usefixtures("study")
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
        ("gan compare report-01", "no pair report-01; did you mean report-001?"),
    ],
)
def test_a_wrong_word_is_one_line_and_exit_code_1(study: Path, words: str, message: str) -> None:
    before = sorted(study.rglob("*"))
    answer = dlcv(*words.split())
    assert answer.returncode == 1
    assert answer.stderr.startswith("dlcv: error: ") and message in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert sorted(study.rglob("*")) == before


@pytest.mark.usefixtures("study")
def test_every_command_checks_all_of_params_first(study: Path) -> None:
    text = (study / "params.yaml").read_text()
    (study / "params.yaml").write_text(text.replace("\n  lambda: ", "\n  lambda: -"))
    for words in ("params check", "data digits usps", "data faces", "adaptation train supervised usps", "report"):
        answer = dlcv(*words.split())
        assert answer.returncode == 1
        assert "params.yaml: dann.lambda: Input should be greater than or equal to 0" in answer.stderr


def test_a_full_disk_is_one_line() -> None:
    code = """
import errno, dlcv.cli
from dlcv.__main__ import main
def run():
    raise OSError(errno.ENOSPC, "No space left on device", "out/x")
dlcv.cli.run = run
main()
"""
    answer = dlcv(code=code)
    assert answer.returncode == 1
    assert answer.stderr == "dlcv: error: the disk is full while writing out/x; free some space and run it again\n"
