"""What the scores see: real photographs that are blurred, noisy or reduced, scored as a model's images are.

    python benchmarks/spoilt.py [FOLDER [IMAGES [TRAINING [SIZE]]]]

FOLDER is a prepared set, `data/faces` if none is given. The first IMAGES (80) of its validation photographs
are spoilt and compared with its first TRAINING (320) training photographs, in the features of the extractor that
params.yaml names, with an input of SIZE (224) pixels, and of faces in dlib's. The rows "mean image + noise along
components" and "noise" are those of the stage `reference`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from dlcv.data.prepared import load_split, read_card
from dlcv.evaluation import pca
from dlcv.evaluation.bounds import COMPONENTS, noise
from dlcv.evaluation.config import Evaluation, has_faces
from dlcv.evaluation.extractors.dlib_face import DlibFace, load_dlib_face
from dlcv.evaluation.extractors.extractor import Extractor, load_extractor
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.metrics.manifold import manifold_scores
from dlcv.evaluation.scores import face_score
from dlcv.runtime.config import load

SCORES = ("precision", "recall", "coverage")
DIGITS = {"dlib_face": 3}  # of the Fréchet distance; features near each other have small distances


def blurred(deviation: float) -> Callable[[np.ndarray], np.ndarray]:
    """A Gaussian blur with this standard deviation in pixels."""
    return _each(lambda image: image.filter(ImageFilter.GaussianBlur(deviation)))


def resized(side: int) -> Callable[[np.ndarray], np.ndarray]:
    """Reduced to `side` pixels and enlarged again."""
    return _each(lambda image: image.resize((side, side), Image.Resampling.BICUBIC).resize(image.size))


def noisy(deviation: float) -> Callable[[np.ndarray], np.ndarray]:
    """Gaussian noise with this standard deviation of 255 in every pixel and channel."""

    def spoil(images: np.ndarray) -> np.ndarray:
        values = images + np.random.default_rng(0).normal(0, deviation, images.shape)
        return values.round().clip(0, 255).astype(np.uint8)

    return spoil


def _each(change: Callable[[Image.Image], Image.Image]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda images: np.stack([np.asarray(change(Image.fromarray(image))) for image in images])


SPOILT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": lambda images: images,
    **{f"blurred by {deviation} pixels": blurred(deviation) for deviation in (0.6, 1.2, 2.4)},
    **{f"noise of standard deviation {deviation}": noisy(deviation) for deviation in (5, 10, 25)},
    **{f"reduced to {side} pixels and enlarged": resized(side) for side in (48, 32, 16)},
}


def main(folder: str = "data/faces", count: str = "80", training: str = "320", size: str = "224") -> None:
    params = load()
    section, seed = params[Evaluation], params.seed
    real = np.array(load_split(Path(folder), "train").images[: int(training)])
    images = np.array(load_split(Path(folder), "val").images[: int(count)])
    rows = {name: spoil(images) for name, spoil in SPOILT.items()}
    rows["mean image + noise along components"] = pca.sample(pca.fit(real, COMPONENTS), len(images), seed)
    rows["noise"] = noise(images.shape, seed)
    faces = has_faces(read_card(Path(folder))["name"])
    spaces: list[Extractor | DlibFace] = [load_extractor(section, int(size)), *([load_dlib_face()] if faces else [])]
    start = time.process_time()
    references = [space(real) for space in spaces]
    seconds = (time.process_time() - start) / len(real)
    print(
        f"{len(images)} images against {len(real)}, {section.neighbours} neighbours; "
        f"{1000 * seconds:.1f} core-milliseconds for the features of an image"
    )
    columns = [f"{space.name}: Fréchet | {' | '.join(SCORES)}" for space in spaces] + ["face score"] * faces
    print("|", " | ".join(["images", *columns]), "|")
    print("|", " --- |" * (1 + faces + 4 * len(spaces)))
    for name, drawn in rows.items():
        cells = [name]
        for space, reference in zip(spaces, references, strict=True):
            features = space(drawn)
            distance = frechet.distance(frechet.statistics(features), frechet.statistics(reference))
            equal = min(len(features), len(reference))
            manifold = manifold_scores(features[:equal], reference[:equal], section.neighbours)
            cells += [f"{distance:.{DIGITS.get(space.name, 1)}f}", *(f"{manifold[score]:.3f}" for score in SCORES)]
        if faces:
            cells.append(f"{face_score(drawn)['value']:.3f}")
        print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
