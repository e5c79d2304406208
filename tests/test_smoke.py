"""The check of the smoke profile's scores, on made ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcv.runtime.files import write_json
from tests import smoke


def test_scores_are_written_and_a_different_last_bit_is_found(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(smoke, "FILE", study / "smoke_scores.json")
    write_json(study / "out/gan-summary/summary.json", {"dcgan": {"precision": 0.1, "recall": 0.2}})
    assert smoke.main(write=False) == 1 and "--write" in capsys.readouterr().out
    assert smoke.main(write=True) == smoke.main(write=False) == 0
    write_json(study / "out/gan-summary/summary.json", {"dcgan": {"precision": 0.1 + 2e-17, "recall": 0.2 + 3e-17}})
    capsys.readouterr()
    assert smoke.main(write=False) == 1
    assert capsys.readouterr().out == (
        "gan:dcgan.precision: 0.1 is committed, not 0.10000000000000002\n"
        "gan:dcgan.recall: 0.2 is committed, not 0.20000000000000004\n"
    )
