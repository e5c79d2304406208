"""The face detector against `face_recognition`."""

from __future__ import annotations

import numpy as np
import pytest

from dlcv.evaluation import face_detector
from dlcv.evaluation.bounds import noise
from dlcv.runtime.errors import UserError


@pytest.mark.slow
def test_faces_are_found_as_face_recognition_finds_them(faces_of_orl: np.ndarray) -> None:
    """`face_recognition.face_locations(image)`: HOG model, the image upsampled once."""
    import dlib

    detector = dlib.get_frontal_face_detector()
    found = face_detector.detect(faces_of_orl)
    assert found.dtype == bool
    assert found.tolist() == [len(detector(image, 1)) > 0 for image in faces_of_orl]
    assert found.mean() > 0.85
    assert found.mean() > np.mean([len(detector(image, 0)) > 0 for image in faces_of_orl])
    assert not face_detector.detect(noise((5, 64, 64, 3), 0)).any()
    assert face_detector.detect(noise((0, 64, 64, 3), 0)).tolist() == []


@pytest.fixture
def faces_of_orl(faces: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return faces[1][:40]


def test_no_dlib_is_an_error_and_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_detector, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="the face score needs dlib; run `pip install dlib-bin`"):
        face_detector.detect(noise((1, 64, 64, 3), 0))
