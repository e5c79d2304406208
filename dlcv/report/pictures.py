"""Pictures as the report shows them: WebP, which is a third as large as PNG, and what a page needs to move them."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json

SLIDES = "slides"  # a text of the PNG file: of each slide the label, and left, top, right, bottom in pixels
IMAGES = "-images.png"  # beside a map: the images of its points


@cache
def webp(path: Path, quality: int, width: int | None = None) -> bytes:
    """The image `path` as WebP.

    Args:
        quality: from 0 to 100.
        width: the largest, in pixels.

    Raises:
        UserError: it is missing.
    """
    with _open(path) as image:
        shown = image.convert("RGB")
    if width is not None and shown.width > width:
        shown = shown.resize((width, round(shown.height * width / shown.width)), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    shown.save(content, "WEBP", quality=quality)
    return content.getvalue()


def size(path: Path) -> tuple[int, int]:
    """Width and height of an image in pixels."""
    with _open(path) as image:
        return image.width, image.height


def slides(path: Path) -> list[tuple[str, list[int]]]:
    """The slides of an image; none if it has fewer than two."""
    with _open(path) as image:
        image.load()
        places: list[tuple[str, list[int]]] = json.loads(image.info.get(SLIDES, "[]"))
    return places if len(places) > 1 else []


def points(path: Path) -> Any:
    """The points of a map and the place of their images, if `path` is the figure of a map; None otherwise."""
    about, images = path.with_suffix(".json"), path.with_name(path.stem + IMAGES)
    return read_json(about) if about.is_file() and images.is_file() else None


def _open(path: Path) -> Image.Image:
    if not path.is_file():
        raise UserError(f"{path} is missing; `dvc repro` makes it, `dvc pull` fetches it")
    return Image.open(path)
