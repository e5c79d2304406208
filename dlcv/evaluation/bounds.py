"""The stage `reference`: the features of real images, and the scores of the best and the worst possible model.

`real` are validation images scored as if a model had drawn them: the ceiling. `noise` are uniform random pixels: the
floor. `pca`, for faces, are images of the trivial generator: the mean training face plus Gaussian noise along its
principal components. All have as many images as every model, because distances depend on the number.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcv.data.prepared import load_split, read_card
from dlcv.evaluation import headline, pca
from dlcv.evaluation.config import DATA, METRICS, OUT, Evaluation, has_faces
from dlcv.evaluation.extractors.dlib_face import load_dlib_face
from dlcv.evaluation.extractors.extractor import load_extractor
from dlcv.evaluation.reference import Reference, of_prepared, save_reference
from dlcv.evaluation.scores import (
    check_counts,
    equal_count,
    face_score,
    protocol,
    score,
    score_features,
    score_space,
)
from dlcv.evaluation.summary import summarise
from dlcv.runtime import summaries
from dlcv.runtime.config import Params
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.publish import publish
from dlcv.runtime.tracking import Dataset

COMPONENTS = 512  # of the trivial generator, as many as the latent of report 002; at most all that there are


def run(name: str, params: Params) -> Path:
    """Make the reference of the prepared set `name`, "faces" for example, in `out/evaluation/NAME`.

    Returns:
        The JSON with the scores of `real`, `noise` and, for faces, `pca`, in that folder.

    Raises:
        UserError: the set is not prepared, an extractor or dlib is missing, or there are too few images.
    """
    section, faces = params[Evaluation], has_faces(name)
    extractor = load_extractor(section, section.input_size.faces if faces else section.input_size.digits)
    reference = of_prepared(DATA / name, extractor)
    count = equal_count(section, reference)
    check_counts(section, count)
    if faces and section.dlib_face_images:
        space = of_prepared(DATA / name, load_dlib_face(), section.dlib_face_images, count)
        reference = replace(reference, faces=space)
    assert reference.validation is not None
    images = load_split(DATA / name, "val").images[:count]
    features = reference.validation[:count]
    real = score_features(features, reference, section, params.seed, extractor.score, generated=False)
    if faces:
        real["face_score"] = face_score(images)
    if reference.faces is not None:
        real["dlib_face"] = score_own(reference.faces, section)
    scored, about = {"real": real}, protocol(reference, section, params.seed, extractor, faces)
    drawn = {"noise": noise(images.shape, params.seed)}
    if faces:
        components = pca.fit(load_split(DATA / name, "train").images, COMPONENTS)
        drawn = {"pca": pca.sample(components, count, params.seed), **drawn}
        about["pca"] = {"components": components.count, "images": len(reference.training), "seed": params.seed}
    for row, made in drawn.items():
        scored[row] = score(made, reference, section, params.seed, extractor, faces)
    rows = {row: summarise([own]) for row, own in scored.items()}

    path = OUT / name / summaries.FILE
    with replacing(OUT / name) as folder:
        save_reference(folder, reference)
        write_json(folder / summaries.FILE, {"reference": name, "protocol": about, "rows": rows})
        headline.write(METRICS / name, folder, {row: headline.of_seeds([0], [own]) for row, own in scored.items()})
    datasets = [Dataset(name, read_card(DATA / name)["sha256"], str(DATA / name))]
    publish(f"reference {name}", section.model_dump(), rows, datasets=datasets)
    return path


def score_own(space: Reference, section: Evaluation) -> dict[str, Any]:
    """The scores of the validation images in dlib's features."""
    assert space.validation is not None
    return score_space(space.validation, space, section, space.about["extractor"]["score"], generated=False)


def noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Images of uniform random pixels, uint8 of the given shape."""
    return np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)
