"""What is said of an autoencoder in numbers, from its codes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlcv.data.prepared import Split
from dlcv.evaluation.metrics.linear_probe import linear_probe, linear_probe_on
from dlcv.vae.codes import Codes

ACTIVE = 0.01  # variance of a unit's mean over the data, above which it is active (Burda et al. 2016)


def reconstruction(codes: Codes) -> dict[str, Any]:
    """Errors of N images.

    Returns:
        "mse", of the reconstructions from the posterior means: squared, the mean over pixels and channels in [-1, 1];
        "mse_0_1", the same in [0, 1]; "mse_sampled", of those from random latents of the posteriors, in [-1, 1];
        "standard_error" of the first over the images; "kl" in nats.
    """
    mse = float(codes.error.mean(dtype=np.float64))
    return {
        "mse": mse,
        "mse_0_1": mse / 4,  # half the range, a quarter of the square
        "mse_sampled": float(codes.sampled_error.mean(dtype=np.float64)),
        "standard_error": float(codes.error.std(ddof=1, dtype=np.float64)) / math.sqrt(len(codes.error)),
        "kl": float(codes.kl.mean(dtype=np.float64)),
    }


def active_units(means: np.ndarray) -> int:
    """Units whose posterior mean, N x D, varies over the data; the others carry nothing (Burda et al. 2016)."""
    return int((means.var(axis=0, dtype=np.float64) > ACTIVE).sum())


def probe(attribute: str | None, faces: dict[str, Split], codes: dict[str, Codes], seed: int) -> dict[str, Any] | None:
    """How well a linear classifier reads the attribute of the faces, "Male" for example, from the latent means.

    Args:
        attribute: what the labels are; None where there are none.
        faces, codes: by split, "train" and "val".

    Returns:
        "attribute"; "cross_validated" within the training images; "validation", fitted to all training images,
        where validation has no class of its own, as persons do. None where there is nothing to read.
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
