"""The figures of the autoencoder."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dlcv.evaluation import tsne
from dlcv.figures import charts, grids, live
from dlcv.vae.config import TSNE

CAPTIONS = {
    "curve.png": "Reconstruction error and KL divergence. The thin line shows training batches; the points are "
    "snapshots, which are measured in the same way on training and on validation images.",
    "reconstructions.png": "Ten validation images above their reconstructions, with the mean squared error of each.",
    "samples.png": "32 images from latents of N(0, I).",
    "samples-fitted.png": "32 images of the same noise with the mean and covariance of the training images' latents.",
    "interpolation.png": "From one validation image to another along the straight line between their latent means.",
    "tsne.png": "t-SNE of the latent means of validation images and of their pixels, coloured by the attribute of the "
    "data.",
    "neighbours.png": "Generated images above their nearest training images in the extractor's features.",
}
SCALE = 2  # pixels of a figure for one of an image
COLOURS = 10  # maximum number of groups in a map


def curve(path: Path, batches: pd.DataFrame, measured: pd.DataFrame, title: str) -> None:
    """Draw reconstruction error and divergence over the steps in two panels.

    Args:
        batches: `step`, `reconstruction` and `kl` of training batches.
        measured: `step`, and the two of the snapshots with the prefixes `training_` and `validation_`.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for axis, name, label in zip(
        axes, ("reconstruction", "kl"), ("mean squared error, in [-1, 1]", "KL divergence, nats"), strict=True
    ):
        axis.plot(batches["step"], batches[name], lw=1, alpha=0.5, label="training batches")
        for split in ("training", "validation"):
            axis.plot(measured["step"], measured[f"{split}_{name}"], "o-", ms=4, lw=1.3, label=f"{split} images")
        axis.set(xlabel="step", ylabel=label)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    # The first errors are ten times as large as the differences at the end.
    axes[0].set_yscale("log")
    figure.suptitle(title)
    figure.savefig(path, dpi=charts.DPI, metadata={"Software": None})
    plt.close(figure)
    panels = []
    for name, label in (("reconstruction", "mean squared error, in [-1, 1]"), ("kl", "KL divergence, nats")):
        drawn = [live.line("training batches", batches["step"].tolist(), batches[name].tolist())]
        for split in ("training", "validation"):
            values = measured[f"{split}_{name}"].tolist()
            drawn.append(live.line(f"{split} images", measured["step"].tolist(), values))
        panels.append(live.panel(label, drawn, log=name == "reconstruction"))
    live.chart(path, "step", panels)


def reconstructions(path: Path, images: np.ndarray, decoded: np.ndarray, errors: np.ndarray) -> None:
    """Draw images above their reconstructions, uint8 N x H x W x 3 each, with the error of each, N, below."""
    captions = [[""] * len(errors), [f"MSE {error:.4f}" for error in errors]]
    grids.captioned([images, decoded], ["validation", "from the mean"], captions, scale=SCALE).save(path)


def interpolation(path: Path, real: tuple[np.ndarray, np.ndarray], between: np.ndarray, alphas: np.ndarray) -> None:
    """Draw two real images, H x W x 3, and `between` them the interpolated ones of `alphas`, N."""
    row = np.stack([real[0], *between, real[1]])
    captions = ["real", *(f"{alpha:.1f}" for alpha in alphas), "real"]
    places = ["first face", *captions[1:-1], "second face"]
    live.tiles(path, grids.captioned([row], [""], [captions], scale=SCALE), [""], places, "columns")


def latent_map(
    path: Path,
    means: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray | None,
    attribute: str | None,
    section: TSNE,
    seed: int,
) -> dict[str, float]:
    """Draw a t-SNE map of latent means, N x D, beside one of the pixels of the same images.

    Args:
        images: uint8 N x H x W x 3.
        labels: N, which colour the points; only the ten most frequent are shown. None: one colour.
        attribute: what the labels are.

    Returns:
        "images" and "perplexity" of the map: those of `section`, or less if there are too few images.
    """
    if labels is None:
        groups, names, legend = np.zeros(len(means), dtype=np.int64), ["no attribute is known"], ""
        kept = groups == 0
    else:
        values, groups, counts = np.unique(labels, return_inverse=True, return_counts=True)
        shown = np.sort(np.argsort(-counts, kind="stable")[:COLOURS])
        kept = np.isin(groups, shown)
        groups, names, legend = np.searchsorted(shown, groups), [str(values[index]) for index in shown], str(attribute)
    chosen = np.flatnonzero(kept)[: section.images]
    # openTSNE uses 3 * perplexity neighbours.
    perplexity = min(section.perplexity, (len(chosen) - 1) / 3)
    spaces = {"latent means": means[chosen], "pixels": images[chosen].reshape(len(chosen), -1)}
    maps = {name: tsne.fit(space, perplexity, seed) for name, space in spaces.items()}
    charts.scatter(path, maps, groups[chosen], names, f"t-SNE of {len(chosen)} validation images", legend)
    live.points(path, maps, images[chosen], {legend or "images": (groups[chosen], names)})
    return {"images": len(chosen), "perplexity": perplexity}
