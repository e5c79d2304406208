"""What a page needs to make a figure live: `NAME.json` beside `NAME.png`.

There are four kinds. `chart`: the numbers of its curves, which then zoom. `tiles`: where the images of a grid lie,
which a slider then cuts out. `map`: the points of a map, each with its thumbnail.
`within`: another figure shows the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dlcv.figures import grids
from dlcv.runtime.files import replacing, write_json

SPRITE_COLUMNS = 32
THUMBNAIL = 28  # pixels on a side
QUALITY = 80  # of WebP; thumbnails are looked at, not scored


def line(
    name: str, x: Sequence[float], y: Sequence[float], interval: tuple[Sequence[float], Sequence[float]] | None = None
) -> dict[str, Any]:
    """A curve of a chart: points with a finite y, and their interval (low, high) if there is one."""
    kept = [index for index, value in enumerate(y) if np.isfinite(value)]
    drawn: dict[str, Any] = {"name": name, "x": _short(x, kept), "y": _short(y, kept)}
    return drawn if interval is None else drawn | {"interval": [_short(end, kept) for end in interval]}


def panel(title: str, lines: Sequence[Mapping[str, Any]], log: bool = False) -> dict[str, Any]:
    """A panel of a chart: the title of its y axis, and its curves."""
    return {"y": title, "log": log, "lines": list(lines)}


def chart(path: Path, x: str, panels: Sequence[Mapping[str, Any]]) -> None:
    """Write the numbers of the chart `path`; `x` is the title of the x axis."""
    write_json(path.with_suffix(".json"), {"kind": "chart", "x": x, "panels": list(panels)})


def tiles(
    path: Path,
    sheet: Image.Image,
    rows: Sequence[str],
    columns: Sequence[str],
    along: str,
    notes: Sequence[Sequence[str]] = (),
) -> None:
    """Save the grid `sheet` as `path`, and write where its images lie.

    Args:
        sheet: from `dlcv.figures.grids`.
        rows, columns: labels of its rows and columns.
        along: "rows" or "columns": what the slider runs over. The images of the other one are shown together.
        notes: for each row and column a text to show with the image; empty for none.
    """
    sheet.save(path)
    place = {key: sheet.info[key] for key in grids.PLACES}
    values = {**place, "rows": list(rows), "columns": list(columns), "along": along}
    write_json(path.with_suffix(".json"), {"kind": "tiles", **values, "notes": [list(row) for row in notes]})


def within(path: Path, other: str) -> None:
    """Note that the live form of the figure `other` in the same folder also shows what `path` shows."""
    write_json(path.with_suffix(".json"), {"kind": "within", "figure": other})


def points(
    path: Path,
    maps: Mapping[str, np.ndarray],
    images: np.ndarray,
    groups: Mapping[str, tuple[np.ndarray, Sequence[str]]],
    predictions: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write the points of the map `path`, and their thumbnails as one image, `NAME-thumbnails.webp`.

    Args:
        maps: by title of the panel, the points, N x 2.
        images: uint8 N x H x W x 3.
        groups: by the name of a grouping ("digit", "domain"), the group of each point, N, and the groups' names.
        predictions: by title of the panel, the predicted class of each point, N.
    """
    sprite = path.with_name(f"{path.stem}-thumbnails.webp")
    small = [np.asarray(Image.fromarray(image).resize((THUMBNAIL, THUMBNAIL))) for image in images]
    with replacing(sprite) as temporary:
        grids.grid(np.stack(small), SPRITE_COLUMNS, gap=0).save(temporary, quality=QUALITY)
    panels = [
        {
            "title": title,
            "x": [round(float(value), 2) for value in xy[:, 0]],
            "y": [round(float(value), 2) for value in xy[:, 1]],
            "predicted": predictions[title].tolist() if predictions else None,
        }
        for title, xy in maps.items()
    ]
    kept = {name: {"of": of.tolist(), "names": list(names)} for name, (of, names) in groups.items()}
    thumbnails = {"file": sprite.name, "side": THUMBNAIL, "columns": min(SPRITE_COLUMNS, len(images))}
    values = {"panels": panels, "groups": kept, "thumbnails": thumbnails}
    write_json(path.with_suffix(".json"), {"kind": "map", **values})


def _short(values: Sequence[float], kept: Sequence[int]) -> list[float]:
    return [float(f"{float(values[index]):.6g}") for index in kept]
