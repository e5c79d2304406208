"""Features of faces by dlib's network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dlcv.data.images import fit
from dlcv.evaluation.extractors import dlib_face, names
from dlcv.evaluation.extractors.dlib_face import DlibFace, load_dlib_face
from dlcv.runtime.errors import UserError


@pytest.fixture(scope="module")
def network() -> DlibFace:
    return load_dlib_face()


def test_features_are_dlibs_descriptors_of_the_resized_image(
    network: DlibFace, faces: tuple[np.ndarray, np.ndarray]
) -> None:
    image = faces[1][0]
    chip = fit(Image.fromarray(image), 150, crop=False)
    expected = np.array(network.network.compute_face_descriptor(chip))
    features = network(image[None])
    assert features.shape == (1, 128) and features.dtype == np.float32
    assert features[0] == pytest.approx(expected, abs=1e-6)
    assert 1 < np.linalg.norm(features) < 2


@pytest.mark.slow
def test_features_do_not_depend_on_the_batch(
    network: DlibFace, faces: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlib_face, "BATCH", 2)
    images = faces[1][:5]
    together = network(images)
    assert np.array_equal(together, np.concatenate([network(images[:1]), network(images[1:3]), network(images[3:])]))
    assert network(images[:0]).shape == (0, 128)


@pytest.mark.slow
def test_a_person_is_nearer_to_himself_blurred_than_to_another(
    network: DlibFace, faces: tuple[np.ndarray, np.ndarray]
) -> None:
    """The features are of the face: blur, which ruins EfficientNet's recall, moves them less than another face does."""
    images = faces[1][:6]
    blurred = np.stack([np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1.2))) for image in images])
    before, after = network(images), network(blurred)
    distances = np.linalg.norm(before[:, None] - after[None], axis=2)
    assert (distances.argmin(axis=1) == np.arange(6)).all()


def test_it_has_names_of_its_own(network: DlibFace) -> None:
    assert network.score == network.protocol()["score"] == "frechet_dlib_face"
    assert network.score not in names.SCORES.values()
    assert len(network.protocol()["weights_sha256"]) == 64


def test_missing_and_damaged_weights_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dlib_face, "PACKAGE", "no-such-package")
    with pytest.raises(
        UserError,
        match="the scores of faces need the package no-such-package, which is not installed; run `pip install .*`, or "
        "set evaluation.dlib_face_images to 0",
    ):
        dlib_face.check_dlib_face()
    (tmp_path / "model.dat").write_bytes(b"no weights")
    monkeypatch.setattr(dlib_face, "check_dlib_face", lambda: tmp_path / "model.dat")
    with pytest.raises(UserError, match="model.dat is damaged"):
        load_dlib_face.__wrapped__()
