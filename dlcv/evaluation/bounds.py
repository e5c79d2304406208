"""The stage `reference`: features of the real images, and what the best and the worst model could score.

`real` are validation images scored as if a model had made them: the ceiling. `noise` are uniform random pixels: the
floor. Both at the count of every model, because distances depend on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlcv.data.prepared import load_split, read_card
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import load_extractor
from dlcv.evaluation.inputs import DATA, METRICS, OUT, has_faces
from dlcv.evaluation.reference import Reference, of_prepared, save_reference
from dlcv.evaluation.scores import check_counts, equal_count, face_score, protocol, score, score_features
from dlcv.runtime import tracking
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.nested import flatten


def run(name: str, params: Params) -> Path:
    """Make the reference of the prepared set `name`, "faces" for example, in `out/evaluation/NAME`.

    Returns:
        The JSON with the scores of `real` and `noise`.

    Raises:
        UserError: the set is not prepared, an extractor or dlib is missing, or there are too few images.
    """
    section, faces = params[Evaluation], has_faces(name)
    extractor = load_extractor(section)
    reference = of_prepared(DATA / name, extractor)
    assert reference.validation is not None
    count = equal_count(section, reference)
    check_counts(section, count)
    images = load_split(DATA / name, "val").images[:count]
    real = score_features(
        reference.validation[:count], reference, section, params.seed, extractor.score, generated=False
    )
    if faces:
        real["face_score"] = face_score(images)
    rows = {
        "real": real,
        "noise": score(noise(images.shape, params.seed), reference, section, params.seed, extractor, faces),
    }

    with replacing(OUT / name) as folder:
        save_reference(folder, reference)
    scores = {"reference": name, "protocol": protocol(reference, section, params.seed, extractor, faces), "rows": rows}
    path = METRICS / f"{name}.json"
    write_json(path, scores)
    track(name, rows, reference, params)
    return path


def noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Images of uniform random pixels, uint8 of the given shape."""
    return np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)


def track(name: str, rows: dict[str, dict[str, Any]], reference: Reference, params: Params) -> None:
    """Show the ceiling and the floor in MLflow, beside the models."""
    card = read_card(DATA / name)
    with tracking.run(
        f"reference-{name.replace('/', '-')}",
        area="evaluation",
        params=params[Evaluation].model_dump(),
        datasets=[tracking.Dataset(name, card["sha256"], str(DATA / name))],
    ) as tracked:
        tracked.scores(
            {key: value for key, value in flatten(rows).items() if isinstance(value, float)},
        )
