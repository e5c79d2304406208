"""The scores of an autoencoder that are computed from its codes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlcv.data.prepared import Split
from dlcv.evaluation import pca
from dlcv.evaluation.metrics.linear_probe import linear_probe, linear_probe_on
from dlcv.vae.codes import Codes

ACTIVE = 0.01  # variance of a unit's mean over the images, above which it is active (Burda et al. 2016)


def reconstruction(codes: Codes) -> dict[str, Any]:
    """Errors of the reconstructions of N images.

    Returns:
        "mse", from the posterior means: squared, the mean over pixels and channels in [-1, 1]; "mse_0_1", the same in
        [0, 1]; "mse_sampled", from random latents of the posteriors, in [-1, 1]; "standard_error" of "mse" over the
        images; "kl" in nats.
    """
    return {
        **error(codes.error),
        "mse_sampled": float(codes.sampled_error.mean(dtype=np.float64)),
        "kl": float(codes.kl.mean(dtype=np.float64)),
    }


def linear(faces: dict[str, Split], latent: int) -> dict[str, Any]:
    """Errors of the linear autoencoder with a latent of the same size: the principal components of the training images.

    Args:
        faces: by split, "train" and "val".
        latent: dimensions; there are no more components than training images less one.

    Returns:
        "components"; for "validation" and "training" images "mse", "mse_0_1" and "standard_error", as those of
        `reconstruction`.
    """
    components = pca.fit(faces["train"].images, latent)
    found: dict[str, Any] = {"components": components.count}
    for name, split in (("validation", "val"), ("training", "train")):
        found[name] = error(pca.errors(components, faces[split].images))
    return found


def error(errors: np.ndarray) -> dict[str, float]:
    """The mean of squared errors in [-1, 1], N, in both ranges, and its standard error over the images."""
    mse = float(errors.mean(dtype=np.float64))
    return {
        "mse": mse,
        "mse_0_1": mse / 4,  # half the range, a quarter of the square
        "standard_error": float(errors.std(ddof=1, dtype=np.float64)) / math.sqrt(len(errors)),
    }


def active_units(means: np.ndarray) -> int:
    """Number of units whose posterior mean, N x D, varies over the images; the others carry no information."""
    return int((means.var(axis=0, dtype=np.float64) > ACTIVE).sum())


def probe(attribute: str | None, faces: dict[str, Split], codes: dict[str, Codes], seed: int) -> dict[str, Any] | None:
    """Accuracy of a linear classifier of the faces' attribute, "Male" for example, on the latent means.

    Args:
        attribute: what the labels are; None if there are none.
        faces, codes: by split, "train" and "val".

    Returns:
        "attribute"; "cross_validated" within the training images; "validation", fitted to all training images, unless
        the validation images have classes of their own, as with persons. None if there are no labels to predict.
    """
    train, val = faces["train"].labels, faces["val"].labels
    if attribute is None or train is None or val is None:
        return None
    within = linear_probe(codes["train"].means, train, seed)
    if within is None:
        return None
    on_validation = linear_probe_on(codes["train"].means, train, codes["val"].means, val)
    return {"attribute": attribute, "cross_validated": within} | (
        {} if on_validation is None else {"validation": on_validation}
    )
