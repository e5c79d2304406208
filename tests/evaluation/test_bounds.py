"""The stage `reference`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcv.evaluation import bounds
from dlcv.evaluation.extractors.extractor import Extractor
from dlcv.evaluation.reference import load_reference
from dlcv.runtime.config import load

pytestmark = pytest.mark.slow  # seconds of networks


@pytest.mark.usefixtures("prepared")
def test_the_stage_writes_the_ceiling_and_the_floor_twice_the_same(extractor: Extractor) -> None:
    path = bounds.run("faces", load())
    first = path.read_bytes()
    written = json.loads(first)
    assert path == Path("metrics/evaluation/faces.json")
    real, noise = written["rows"]["real"], written["rows"]["noise"]
    assert real[extractor.score]["value"] < noise[extractor.score]["interval"]["low"]
    assert real["face_score"]["value"] > 0.85 and noise["face_score"]["value"] == 0
    assert f"{extractor.score}_to_validation" in noise and f"{extractor.score}_to_validation" not in real
    protocol = written["protocol"]
    assert protocol["images"] == 50
    card = json.loads(Path("data/faces/card.json").read_text())
    assert protocol["reference"]["training"] == {
        "split": "train", "count": 320, "sha256": card["splits"]["train"]["sha256"],
    }  # fmt: skip
    assert set(protocol["versions"]) >= {"numpy", "scipy", "torch"}
    assert bounds.run("faces", load()).read_bytes() == first
    assert load_reference(Path("out/evaluation/faces")).training.shape == (320, 192)
