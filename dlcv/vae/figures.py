"""The figures of the autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from dlcv.evaluation import tsne
from dlcv.figures import charts, grids
from dlcv.vae.config import TSNE

SCALE = 2  # pixels of a figure for one of an image
GAP = 2  # pixels between images, as in `grids.grid`
CAPTION = 22  # pixels of height
COLOURS = 10  # groups that a map can tell apart


def curve(path: Path, batches: pd.DataFrame, measured: pd.DataFrame, title: str) -> None:
    """Draw reconstruction error and divergence over the steps, each in a panel of its own.

    Args:
        batches: `step`, `reconstruction`, `kl` of the training's batches.
        measured: `step`, and the two with the prefixes `training_` and `validation_`, of the snapshots.
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
    # The first batches are ten times as bad as what is to be told apart at the end.
    axes[0].set_yscale("log")
    figure.suptitle(title)
    figure.savefig(path, dpi=charts.DPI, metadata={"Software": None})
    plt.close(figure)


def reconstructions(path: Path, images: np.ndarray, made: np.ndarray, errors: np.ndarray) -> None:
    """Show images over their reconstructions, uint8 N x H x W x 3 both, with the error of each, N, below."""
    sheet = grids.labelled_rows([images, made], ["validation", "from the mean"], scale=SCALE)
    _captioned(sheet, images.shape[2], [f"{error:.4f}" for error in errors], "MSE").save(path)


def interpolation(path: Path, real: tuple[np.ndarray, np.ndarray], between: np.ndarray, shares: np.ndarray) -> None:
    """Show the way from one real image, H x W x 3, to the other: `between` are those of `shares`, N."""
    row = np.stack([real[0], *between, real[1]])
    sheet = grids.labelled_rows([row], [""], scale=SCALE)
    _captioned(sheet, row.shape[2], ["real", *(f"{share:.1f}" for share in shares), "real"], "").save(path)


def latent_map(
    path: Path,
    means: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray | None,
    attribute: str | None,
    section: TSNE,
    seed: int,
) -> dict[str, float]:
    """Draw t-SNE maps of latent means, N x D, and of the pixels of the same images: what the encoder has added.

    Args:
        images: uint8 N x H x W x 3.
        labels: N, which colour the points; only the ten most frequent are shown. None: one colour.
        attribute: what the labels are.

    Returns:
        "images" and "perplexity": what was asked for, or as much as there are and as so few allow.
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
    # openTSNE looks at 3 perplexity neighbours.
    perplexity = min(section.perplexity, (len(chosen) - 1) / 3)
    spaces = {"latent means": means[chosen], "pixels": images[chosen].reshape(len(chosen), -1)}
    maps = {name: tsne.fit(space, perplexity, seed) for name, space in spaces.items()}
    charts.scatter(path, maps, groups[chosen], names, f"t-SNE of {len(chosen)} validation images", legend)
    return {"images": len(chosen), "perplexity": perplexity}


def _captioned(sheet: Image.Image, size: int, captions: Sequence[str], label: str) -> Image.Image:
    """`sheet`, rows of images of `size` pixels with labels at their left, and below each column its caption."""
    font = ImageFont.load_default(size=14)
    canvas = Image.new("RGB", (sheet.width, sheet.height + CAPTION), grids.BACKGROUND)
    canvas.paste(sheet, (0, 0))
    draw = ImageDraw.Draw(canvas)
    middle = sheet.height + CAPTION // 2 - 1
    draw.text((5, middle), label, font=font, fill=grids.INK, anchor="lm")
    for index, caption in enumerate(reversed(captions)):
        # From the right, where the columns end; what stands at the left is as wide as its words.
        centre = sheet.width - GAP - (size * SCALE + GAP) * index - size * SCALE / 2
        draw.text((centre, middle), caption, font=font, fill=grids.INK, anchor="mm")
    return canvas
