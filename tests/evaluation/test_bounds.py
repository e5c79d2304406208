"""The stage `reference`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    assert path == Path("out/evaluation/faces/summary.json")
    real, noise = written["rows"]["real"], written["rows"]["noise"]
    assert real[extractor.score]["value"] < noise[extractor.score]["interval"]["low"]
    assert real["face_score"]["value"] > 0.85 and noise["face_score"]["value"] == 0
    # The trivial generator has the right colours in the right places.
    trivial = written["rows"]["pca"]
    assert list(written["rows"]) == ["real", "pca", "noise"]
    assert trivial[extractor.score]["value"] < noise[extractor.score]["interval"]["low"]
    assert trivial["memorised"]["value"] < 1
    assert written["protocol"]["pca"] == {"components": 319, "images": 320, "seed": 0}
    # The scores in the space of faces are of the same images.
    assert all(row["dlib_face"]["frechet_dlib_face"]["value"] > 0 for row in (real, trivial, noise))
    assert real["dlib_face"]["coverage"]["value"] > 0.2 > noise["dlib_face"]["coverage"]["value"]
    assert written["protocol"]["dlib_face"]["training"]["count"] == 300
    assert written["protocol"]["dlib_face"]["validation"]["count"] == 50
    assert f"{extractor.score}_to_validation" in noise and f"{extractor.score}_to_validation" not in real
    protocol = written["protocol"]
    assert protocol["images"] == 50
    card = json.loads(Path("data/faces/card.json").read_text())
    assert protocol["reference"]["training"] == {
        "split": "train", "count": 320, "sha256": card["splits"]["train"]["sha256"],
    }  # fmt: skip
    assert set(protocol["versions"]) >= {"numpy", "scipy", "torch"}
    assert bounds.run("faces", load()).read_bytes() == first
    reference = load_reference(Path("out/evaluation/faces"))
    assert reference.training.shape == (320, 192)
    assert reference.faces is not None and reference.faces.training.shape == (300, 8)


@pytest.mark.usefixtures("prepared")
def test_without_dlibs_features_there_are_no_scores_in_them(set_params: Any) -> None:
    set_params({"evaluation.dlib_face_images": 0})
    written = json.loads(bounds.run("faces", load()).read_text())
    assert "dlib_face" not in written["rows"]["real"] and "dlib_face" not in written["rows"]["noise"]
    assert written["protocol"]["dlib_face"] is None and "face-recognition-models" not in written["protocol"]["versions"]
    assert load_reference(Path("out/evaluation/faces")).faces is None
