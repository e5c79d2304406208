"""All scores of a set together: the stage, its reference, the command, and pytorch-fid's own command beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from dlcv.evaluation.bounds import noise
from dlcv.evaluation.cli import images
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor
from dlcv.evaluation.extractors.names import INCEPTION_FILE
from dlcv.evaluation.reference import Reference, load_reference, of_images, save_reference
from dlcv.evaluation.scores import equal_count, protocol, score, score_features
from dlcv.runtime.errors import UserError

REPOSITORY = Path(__file__).parent.parent.parent
Write = Callable[[str, np.ndarray], Path]


@pytest.fixture(scope="module")
def reference(faces: tuple[np.ndarray, np.ndarray], extractor: Extractor) -> Reference:
    train, val = faces
    return of_images("faces", train, val, extractor)


def intervals(scores: dict[str, Any]) -> Iterator[tuple[float, float, float]]:
    for entry in scores.values():
        if isinstance(entry, dict) and "interval" in entry:
            yield entry["interval"]["low"], entry["value"], entry["interval"]["high"]


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
    with pytest.raises(UserError, match="3 images are too few to score; 4 is the least with 3 neighbours"):
        score(images, reference, few, 0, extractor)
    many = section.model_copy(update={"images": 1000})
    assert equal_count(many, reference) == 80
    assert protocol(reference, many, 0, extractor)["images"] == 80


def test_another_extractors_reference_is_refused(
    faces: tuple[np.ndarray, np.ndarray], reference: Reference, section: Evaluation, extractor: Extractor
) -> None:
    other = Extractor(extractor.name, 192, extractor.resize, "1" * 64, extractor.network)
    with pytest.raises(UserError, match="the reference faces was made with another extractor"):
        score(faces[0], reference, section, 0, other)


def test_a_saved_reference_scores_the_same(
    faces: tuple[np.ndarray, np.ndarray],
    reference: Reference,
    section: Evaluation,
    extractor: Extractor,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "reference"
    save_reference(folder, reference)
    loaded = load_reference(folder)
    assert loaded.about == reference.about
    images = noise((60, 64, 64, 3), 0)
    assert score(images, loaded, section, 0, extractor) == score(images, reference, section, 0, extractor)
    assert protocol(loaded, section, 0, extractor) == protocol(reference, section, 0, extractor)
    (folder / "mean.npy").write_bytes(b"")
    with pytest.raises(UserError, match="the reference in .* is damaged .*; run `dvc repro -f stages/evaluation"):
        load_reference(folder)
    (folder / "mean.npy").unlink()
    with pytest.raises(UserError, match="mean.npy is missing; `dvc repro stages/evaluation/dvc.yaml` makes it"):
        load_reference(folder)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of pytorch-fid's InceptionV3, where torch hub and so its own command look for the real ones."""
    from unittest import mock

    from pytorch_fid import inception

    torch.manual_seed(0)
    made: dict[str, Any] = {}

    def keep(self: torch.nn.Module, _: object) -> None:
        made.update(self.state_dict())

    with (
        mock.patch.object(inception, "load_state_dict_from_url", lambda *_, **__: {}),
        mock.patch.object(torch.nn.Module, "load_state_dict", keep),
    ):
        inception.fid_inception_v3()
    for name, value in made.items():
        if name.endswith("conv.weight"):
            # Signals keep their size through 48 layers, so that features differ from image to image.
            torch.nn.init.kaiming_normal_(value)
    path = tmp_path_factory.mktemp("hub") / "hub" / "checkpoints" / INCEPTION_FILE
    path.parent.mkdir(parents=True)
    torch.save(made, path)
    return path


def test_fid_is_that_of_pytorch_fids_own_command(
    faces: tuple[np.ndarray, np.ndarray], weights: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    blotches = rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    generated, real = write("generated", blotches), write("real", faces[0][:14])
    command = [sys.executable, "-m", "pytorch_fid", str(generated), str(real), "--device", "cpu", "--num-workers", "0"]
    environment = os.environ | {"TORCH_HOME": str(weights.parent.parent.parent), "OMP_NUM_THREADS": "1"}
    theirs = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert theirs.returncode == 0, theirs.stderr
    expected = float(theirs.stdout.split("FID:")[1])
    images(generated, real, extractor="inception", inception_weights=weights, faces=False, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert expected > 0.01
    assert answer["scores"]["fid"]["value"] == pytest.approx(expected, rel=1e-3)
    assert answer["protocol"]["extractor"]["name"] == "inception"
