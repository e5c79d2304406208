"""All scores of one set of generated images against real ones, and the protocol of how they were computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcv.evaluation import face_detector
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors import dlib_face
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.metrics.intervals import wilson
from dlcv.evaluation.metrics.kernel import kernel_distance
from dlcv.evaluation.metrics.manifold import manifold_scores
from dlcv.evaluation.metrics.neighbours import memorised
from dlcv.evaluation.reference import Reference
from dlcv.runtime.errors import UserError

if TYPE_CHECKING:  # torch takes seconds to import, and bad input is refused before
    from dlcv.evaluation.extractors.extractor import Extractor


def equal_count(section: Evaluation, reference: Reference) -> int:
    """Number of images that are scored in every row of a table: the configured one, at most all validation images.

    The validation images are a row themselves, and distances depend on the number of images.
    """
    validation = reference.validation
    return section.images if validation is None else min(section.images, len(validation))


def score(
    images: np.ndarray,
    reference: Reference,
    section: Evaluation,
    seed: int,
    extractor: Extractor,
    faces: bool = True,
) -> dict[str, Any]:
    """Score the first `equal_count` of some generated images.

    Args:
        images: uint8 N x H x W x 3; those beyond the scored number are ignored.
        seed: of KID's subsets.
        extractor: the one that the reference was made with.
        faces: whether to compute the scores that only faces have.

    Returns:
        The scores of `score_features`; for faces "face_score", value and Wilson interval, and, where the reference has
        dlib's features, "dlib_face", the scores of `score_space` in these.

    Raises:
        UserError: fewer images than are scored, a reference of another extractor, too few images for the settings, or
            no dlib.
    """
    count = equal_count(section, reference)
    if len(images) < count:
        raise UserError(f"there are {len(images)} generated images, but {count} are scored; sample {count}")
    check_extractor(extractor, reference)
    check_counts(section, count)
    if faces:
        face_detector.check_detector()
    scores = score_features(extractor(images[:count]), reference, section, seed, extractor.score)
    if faces:
        scores["face_score"] = face_score(images[:count])
    if faces and reference.faces is not None:
        network = dlib_face.load_dlib_face()
        check_extractor(network, reference.faces)
        scores["dlib_face"] = score_space(network(images[:count]), reference.faces, section, network.score)
    return scores


def check_extractor(extractor: Extractor | dlib_face.DlibFace, reference: Reference) -> None:
    """Check that a reference holds features of this extractor.

    Raises:
        UserError: it was made with another one.
    """
    if extractor.protocol() != reference.about["extractor"]:
        raise UserError(
            f"the reference {reference.about['name']} was made with another extractor than {extractor.name} or with "
            "other weights; make it again"
        )


def check_counts(section: Evaluation, count: int) -> None:
    """Check that there are enough images to score.

    Raises:
        UserError: fewer than the jackknife or the nearest neighbours need.
    """
    minimum = max(4, section.neighbours + 1)
    if count < minimum:
        raise UserError(
            f"{count} images are too few to score; {minimum} is the minimum with {section.neighbours} neighbours"
        )


def score_features(
    features: np.ndarray, reference: Reference, section: Evaluation, seed: int, name: str, generated: bool = True
) -> dict[str, Any]:
    """The scores that are computed from features alone: those of `score_space`, and "kid".

    Args:
        seed: of KID's subsets.
    """
    equal = equal_to_training(len(features), reference)
    kid = kernel_distance(features, reference.training, section.kid_subsets, subset_size(section, equal), seed)
    return {**score_space(features, reference, section, name, generated), "kid": asdict(kid)}


def score_space(
    features: np.ndarray, reference: Reference, section: Evaluation, name: str, generated: bool = True
) -> dict[str, Any]:
    """The scores of every space of features.

    Args:
        features: of the images to score, float32 N x D.
        name: of the Fréchet distance in these features, `Extractor.score`.
        generated: False for the validation images themselves, whose distance to validation images is meaningless.

    Returns:
        NAME: the distance to the training images as "value", its jackknife "interval", and "left_out", the distances
        without each group, which `frechet.difference` pairs. NAME_to_validation: the distance to all validation
        images, where there are at least N. "precision", "recall", "density", "coverage", computed with the first N
        training images. "memorised", where there are validation images.
    """
    count = len(features)
    own = frechet.statistics(features)
    value = frechet.distance(own, reference.statistics)
    left_out = frechet.leave_group_out(features, reference.statistics, groups(section, count))
    low, high = frechet.interval(value, left_out)
    scores: dict[str, Any] = {name: {"value": value, "interval": {"low": low, "high": high}, "left_out": left_out}}
    validation = reference.validation
    if generated and validation is not None and len(validation) >= count:
        scores[f"{name}_to_validation"] = frechet.distance(own, frechet.statistics(validation))
    equal = equal_to_training(count, reference)
    scores |= manifold_scores(features[:equal], reference.training[:equal], section.neighbours)
    if validation is not None:
        scores["memorised"] = memorised(features, validation, reference.training)
    return scores


def face_score(images: np.ndarray) -> dict[str, Any]:
    """The share of images in which a detector finds a face, with its 95 % Wilson interval."""
    found = face_detector.detect(images)
    low, high = wilson(int(found.sum()), len(found))
    return {"value": float(found.mean()), "interval": {"low": low, "high": high}}


def groups(section: Evaluation, count: int) -> int:
    """Number of jackknife groups; each has at least two images."""
    return min(section.jackknife_groups, count // 2)


def equal_to_training(count: int, reference: Reference) -> int:
    """Number of images of each set for the scores that need equal numbers."""
    return min(count, len(reference.training))


def subset_size(section: Evaluation, equal: int) -> int:
    """Number of images in a subset of KID."""
    return min(section.kid_subset_size, equal)


def protocol(
    reference: Reference, section: Evaluation, seed: int, extractor: Extractor, faces: bool = True
) -> dict[str, Any]:
    """How the scores were computed. It holds no time and no commit, so equal inputs give equal bytes."""
    count = equal_count(section, reference)
    equal = equal_to_training(count, reference)
    packages = ["numpy", "scipy", "torch"]
    if extractor.name == "inception":
        packages += ["pytorch-fid", "torchvision"]
    if faces:
        packages.append(face_detector.package())
    space = reference.faces if faces else None
    if space is not None:
        packages += [dlib_face.PACKAGE, "pillow"]
    about: Mapping[str, Any] = {key: value for key, value in reference.about.items() if key != "extractor"}
    return {
        "images": count,
        "reference": about,
        "extractor": extractor.protocol(),
        "kid": {
            "kernel": "(x.y/D + 1)^3",
            "subsets": section.kid_subsets,
            "subset_size": subset_size(section, equal),
            "seed": seed,
        },
        "neighbours": {"k": section.neighbours, "images_of_each": equal},
        "face_detector": face_detector.PROTOCOL if faces else None,
        "dlib_face": None
        if space is None
        else {key: space.about[key] for key in ("extractor", "training", "validation") if key in space.about},
        "interval": f"95 %: jackknife of {groups(section, count)} groups for Fréchet distances, Wilson for shares",
        "versions": {package: version(package) for package in packages},
    }
