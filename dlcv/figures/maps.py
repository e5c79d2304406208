"""Maps whose points show their images: the points as JSON beside a figure, for a page, and all images as one PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dlcv.figures import grids
from dlcv.runtime.files import write_json

COLUMNS = 40  # images in a row
IMAGES = "-images.png"


def write(
    figure: Path,
    maps: Mapping[str, np.ndarray],
    images: np.ndarray,
    groups: Mapping[str, tuple[Sequence[str], np.ndarray]],
    predictions: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write FIGURE.json and FIGURE-images.png beside the map `figure`.

    Args:
        maps: by title of the panel, the points, N x 2; written with three digits of a scale from 0 to 1.
        images: of the points, uint8 N x H x W x 3, at most 32 pixels wide or high; larger ones lose pixels.
        groups: by what the points can be coloured and filtered by: the names, and the index of each point's name, N.
        predictions: by title of the panel, a text of each point, N.
    """
    step = max(1, -(-max(images.shape[1:3]) // 32))
    small = images[:, ::step, ::step]
    grids.grid(small, columns=COLUMNS, gap=0).save(figure.with_name(figure.stem + IMAGES))
    write_json(
        figure.with_suffix(".json"),
        {
            "image": {"height": small.shape[1], "width": small.shape[2], "columns": min(COLUMNS, len(small))},
            "maps": {title: _scaled(points) for title, points in maps.items()},
            "groups": {key: {"names": list(names), "of": of.tolist()} for key, (names, of) in groups.items()},
            "predictions": {title: of.tolist() for title, of in (predictions or {}).items()},
        },
    )


def _scaled(points: np.ndarray) -> list[list[float]]:
    low, high = points.min(axis=0), points.max(axis=0)
    scaled: list[list[float]] = ((points - low) / np.maximum(high - low, 1e-12)).round(3).tolist()
    return scaled
