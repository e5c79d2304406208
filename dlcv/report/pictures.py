"""Pictures as the report shows them: WebP, which is a third as large as PNG."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from dlcv.runtime.errors import UserError


def webp(path: Path, height: int | None = None, width: int | None = None, **options: Any) -> bytes:
    """The image `path` as WebP.

    Args:
        height: number of pixel rows from the top; None for all.
        width: the largest, in pixels; a wider image is made smaller.
        options: of Pillow's writer, by default those of `options_of`.

    Raises:
        UserError: it is missing.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; `dvc repro` makes it, `dvc pull` fetches it")
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if height is not None:
        image = image.crop((0, 0, image.width, min(image.height, height)))
    if width is not None and image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    with io.BytesIO() as file:
        image.save(file, "webp", **(options or options_of(image)))
        return file.getvalue()


# They are looked at, not scored; `out/` has every pixel. At twice its size an image loses no colour to WebP.
PHOTOGRAPHS = {"quality": 90, "method": 3}
CHARTS = {"lossless": True, "quality": 50, "method": 3}
COLOURS = 4096  # a chart has fewer


def options_of(image: Image.Image) -> dict[str, Any]:
    """How an image is stored: a chart without loss."""
    return PHOTOGRAPHS if image.getcolors(COLOURS) is None else CHARTS
