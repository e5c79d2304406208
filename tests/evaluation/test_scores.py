"""All scores of a set of images together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dlcv.evaluation import face_detector
from dlcv.evaluation.bounds import noise
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.reference import Reference, of_images
from dlcv.evaluation.scores import equal_count, protocol, score, score_features
from dlcv.runtime.errors import UserError


def intervals(scores: dict[str, Any]) -> Iterator[tuple[float, float, float]]:
    for entry in scores.values():
        if isinstance(entry, dict) and "interval" in entry:
            yield entry["interval"]["low"], entry["value"], entry["interval"]["high"]


@pytest.mark.slow
def test_a_wrong_model_never_beats_the_ceiling(
    faces: tuple[np.ndarray, np.ndarray], reference: Reference, section: Evaluation, extractor: Extractor
) -> None:
    """Real images that were set apart, against noise, blurred, averaged and all-alike images of equal count."""
    _, val = faces
    assert reference.validation is not None
    count = equal_count(section, reference)
    assert count == 60
    real = score_features(reference.validation[:count], reference, section, 0, extractor.score, generated=False)
    blurred = [np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(2))) for image in val]
    wrong = {
        "noise": noise(val.shape, 0),
        "blurred": np.stack(blurred),
        "averaged": ((val.astype(int) + val[::-1]) // 2).astype(np.uint8),
        "alike": np.repeat(val[:6], 10, axis=0),
    }
    for name, images in wrong.items():
        scores = score(images, reference, section, 0, extractor)
        distance = scores[extractor.score]
        assert distance["interval"]["low"] > real[extractor.score]["value"], name
        assert scores["kid"]["value"] > real["kid"]["value"], name
        assert scores["coverage"] < real["coverage"], name
        for low, value, high in intervals(scores):
            assert low <= value <= high, name
        assert len(distance["left_out"]) == section.jackknife_groups
        if name == "noise":
            assert scores["face_score"]["value"] == scores["memorised"] == scores["precision"] == 0


def test_copies_of_training_images_are_called_memorised(
    faces: tuple[np.ndarray, np.ndarray], reference: Reference, section: Evaluation, extractor: Extractor
) -> None:
    scores = score(faces[0][:60], reference, section, 0, extractor, faces=False)
    assert scores["memorised"] == 1
    assert "face_score" not in scores
    # The nearer set is the one that was copied.
    assert scores[extractor.score]["value"] < scores[f"{extractor.score}_to_validation"]


def test_only_so_many_images_are_scored_and_fewer_are_refused(
    faces: tuple[np.ndarray, np.ndarray], reference: Reference, section: Evaluation, extractor: Extractor
) -> None:
    images = faces[0][:61]
    assert score(images, reference, section, 0, extractor, faces=False) == score(
        images[:60], reference, section, 0, extractor, faces=False
    )
    with pytest.raises(UserError, match="there are 59 generated images, but 60 are scored"):
        score(images[:59], reference, section, 0, extractor)
    few = section.model_copy(update={"images": 3})
    with pytest.raises(UserError, match="3 images are too few to score; 4 is the minimum with 3 neighbours"):
        score(images, reference, few, 0, extractor)
    many = section.model_copy(update={"images": 1000})
    assert equal_count(many, reference) == 80
    assert protocol(reference, many, 0, extractor)["images"] == 80


def test_another_extractors_reference_is_refused(
    faces: tuple[np.ndarray, np.ndarray], reference: Reference, section: Evaluation, extractor: Extractor
) -> None:
    other = Extractor(extractor.name, 192, 224, extractor.resize, "1" * 64, extractor.network)
    with pytest.raises(UserError, match="the reference faces was made with another extractor"):
        score(faces[0], reference, section, 0, other)


def test_faces_are_scored_in_a_second_space(
    faces: tuple[np.ndarray, np.ndarray],
    reference: Reference,
    section: Evaluation,
    extractor: Extractor,
    halves: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(face_detector, "detect", lambda images: np.ones(len(images), dtype=bool))
    train, val = faces
    both = replace(reference, faces=of_images("faces", train[:200], val[:60], halves))
    plain, scores = (score(train[:60], one, section, 0, extractor) for one in (reference, both))
    space = scores.pop("dlib_face")
    assert scores == plain  # the first space is as without the second
    by_hand = frechet.distance(frechet.statistics(halves(train[:60])), frechet.statistics(halves(train[:200])))
    assert space["frechet_dlib_face"]["value"] == pytest.approx(by_hand)
    assert space["precision"] == space["memorised"] == 1  # copies
    assert set(space) == {
        "frechet_dlib_face", "frechet_dlib_face_to_validation",
        "precision", "recall", "density", "coverage", "memorised",
    }  # fmt: skip
    assert protocol(both, section, 0, extractor)["dlib_face"]["training"]["count"] == 200
    # Images that are no faces have no place in it.
    assert "dlib_face" not in score(train[:60], both, section, 0, extractor, faces=False)
    assert protocol(both, section, 0, extractor, faces=False)["dlib_face"] is None
    monkeypatch.setattr(halves, "protocol", lambda: {"name": "another"}, raising=False)
    with pytest.raises(UserError, match="the reference faces was made with another extractor than dlib_face"):
        score(train[:60], both, section, 0, extractor)


def test_too_few_training_faces_for_the_neighbours_are_refused(section: Evaluation) -> None:
    values = section.model_dump() | {"dlib_face_images": section.neighbours}
    with pytest.raises(ValueError, match="dlib_face_images has to be 0 or above the 3 neighbours"):
        Evaluation(**values)
