"""References that are saved and loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcv.evaluation.bounds import noise
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor
from dlcv.evaluation.reference import Reference, load_reference, save_reference
from dlcv.evaluation.scores import protocol, score
from dlcv.runtime.errors import UserError


@pytest.mark.slow
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
    with pytest.raises(UserError, match="the reference in .* is damaged .*; make it again with `dvc repro stages/eval"):
        load_reference(folder)
    (folder / "mean.npy").unlink()
    with pytest.raises(UserError, match="mean.npy is missing; make it again with `dvc repro stages/eval"):
        load_reference(folder)
