"""The report's section on the VAE, beside the GANs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.report.files import link, read, refuse_unclaimed

METRICS = Path("metrics/vae")
OUT = Path("out/vae")
GAN_OUT = Path("out/gan")
NAME = "vae"
CAPTIONS = {
    "curve.png": "Reconstruction error and KL divergence. The thin line is of training batches, as the training saw "
    "them; the points are snapshots, which see training and validation images alike.",
    "reconstructions.png": "Ten validation images over their reconstructions, with the mean squared error of each.",
    "samples.png": "32 images from latents of the prior.",
    "interpolation.png": "From one validation image to another along the straight line between their latent means.",
    "tsne.png": "t-SNE of the latent means of validation images by the attribute that the data have, and of their "
    "pixels beside it.",
    "neighbours.png": "Generated images over their nearest training images by the extractor's features.",
}
# What report 002 says in words when it compares the two (its problem 2.4), and the scores that speak to it.
CLAIMS = {
    "the faces of the GAN are more diverse": ("recall", "coverage"),
    "the faces of the VAE are more natural and stable": ("precision", "face_score"),
}


def vae(params: dict[str, Any], gan: dict[str, Any]) -> dict[str, Any]:
    """What the template needs; `params` are those of params.yaml, `gan` what the section on GANs got.

    Raises:
        UserError: a file that params.yaml implies is missing, or one lies there that it does not imply.
    """
    refuse_unclaimed(METRICS, {f"{NAME}.json"})
    scored = read(METRICS / f"{NAME}.json")
    # Report 002's own is the plain one; where it is left out, the first that is there.
    models = params["gan"]["models"]
    rival = "dcgan" if "dcgan" in models else models[0]
    rows = {NAME: scored["scores"]["samples"], **gan["rows"]}
    return {
        "scores": scored["scores"],
        "protocol": scored["protocol"],
        "rows": rows,
        "rival": rival,
        "claims": CLAIMS,
        "training": read(OUT / NAME / "weights.json"),
        "figures": {link(OUT / f"{NAME}-evaluation" / file): caption for file, caption in CAPTIONS.items()},
        "rival_samples": link(GAN_OUT / f"{rival}-samples" / "grid.png"),
    }
