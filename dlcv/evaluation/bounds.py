"""The stage `reference`: the features of real images, and the scores of the best and the worst possible model.

`real` are validation images scored as if a model had drawn them: the ceiling. `noise` are uniform random pixels: the
floor. Both have as many images as every model, because distances depend on the number.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcv.data.prepared import load_split, read_card
from dlcv.evaluation.config import DATA, METRICS, OUT, Evaluation, has_faces
from dlcv.evaluation.extractors.extractor import load_extractor
from dlcv.evaluation.publish import publish
from dlcv.evaluation.reference import of_prepared, save_reference
from dlcv.evaluation.scores import check_counts, equal_count, face_score, protocol, score, score_features
from dlcv.evaluation.summary import summarise
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.tracking import Dataset


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
    features = reference.validation[:count]
    real = score_features(features, reference, section, params.seed, extractor.score, generated=False)
    if faces:
        real["face_score"] = face_score(images)
    worst = score(noise(images.shape, params.seed), reference, section, params.seed, extractor, faces)
    rows = {"real": summarise([real]), "noise": summarise([worst])}

    with replacing(OUT / name) as folder:
        save_reference(folder, reference)
    scores = {"reference": name, "protocol": protocol(reference, section, params.seed, extractor, faces), "rows": rows}
    path = METRICS / f"{name}.json"
    write_json(path, scores)
    publish(
        f"reference-{name.replace('/', '-')}",
        area="evaluation",
        params=section.model_dump(),
        scores=rows,
        datasets=[Dataset(name, read_card(DATA / name)["sha256"], str(DATA / name))],
    )
    return path


def noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Images of uniform random pixels, uint8 of the given shape."""
    return np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)
