"""Grids of images as one image, drawn with Pillow only. The same images give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dlcv.runtime.files import replacing

BACKGROUND = (255, 255, 255)
INK = (30, 30, 30)
# Where the images of a grid with labels lie, in pixels; in the `info` of such a grid.
PLACES = ("left", "top", "width", "height", "step_x", "step_y")


def grid(images: np.ndarray, columns: int, scale: int = 1, gap: int = 2) -> Image.Image:
    """A grid of images in row order, each enlarged `scale` times without smoothing.

    Args:
        images: `uint8` N x H x W x 3 in [0, 255].
        columns: images in a row; the last row may be shorter.
        scale: integer factor of enlargement.
        gap: white pixels between the images and around the grid.
    """
    count, height, width, _ = images.shape
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    step_y, step_x = height * scale + gap, width * scale + gap
    canvas = np.full((rows * step_y + gap, columns * step_x + gap, 3), BACKGROUND, dtype=np.uint8)
    for index, image in enumerate(images):
        top, left = gap + index // columns * step_y, gap + index % columns * step_x
        enlarged = image.repeat(scale, axis=0).repeat(scale, axis=1)
        canvas[top : top + height * scale, left : left + width * scale] = enlarged
    return Image.fromarray(canvas)


def labelled_rows(rows: Sequence[np.ndarray], labels: Sequence[str], title: str = "", scale: int = 1) -> Image.Image:
    """A grid with a title above it and a label to the left of each row.

    Args:
        rows: for each row `uint8` N x H x W x 3; the rows may differ in N, not in H and W.
        labels: one short text for each row.
        title: one line above the grid, shortened to its width.
        scale: as in `grid`.
    """
    if len(rows) != len(labels):
        raise ValueError(f"{len(rows)} rows but {len(labels)} labels")
    font = ImageFont.load_default(size=14)
    strips = [grid(row, columns=max(1, len(row)), scale=scale) for row in rows]
    margin = max((int(font.getlength(label)) for label in labels), default=0) + 10 if any(labels) else 0
    header = 24 if title else 0
    width = margin + max(strip.width for strip in strips)
    sheet = Image.new("RGB", (width, header + sum(strip.height for strip in strips)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((4, 4), _shortened(title, font, width - 8), font=font, fill=INK)
    top = header
    sheet.info |= _places(rows[0], scale, 2, margin + 2, top + 2, strips[0].height)
    for strip, label in zip(strips, labels, strict=True):
        sheet.paste(strip, (margin, top))
        draw.text((5, top + strip.height // 2), label, font=font, fill=INK, anchor="lm")
        top += strip.height
    return sheet


def captioned(
    rows: Sequence[np.ndarray],
    labels: Sequence[str],
    captions: Sequence[Sequence[str]] = (),
    headers: Sequence[str] = (),
    scale: int = 1,
    gap: int = 2,
) -> Image.Image:
    """A grid with a label to the left of each row, headers above the columns and captions below the images.

    Args:
        rows: for each row `uint8` N x H x W x 3, all of the same shape.
        labels: one short text for each row.
        captions: for each row, N short texts below its images; empty for no captions.
        headers: N short texts above the columns; empty for no headers.
        scale, gap: as in `grid`.
    """
    font = ImageFont.load_default(size=13)
    line = 18
    count, height, width, _ = rows[0].shape
    margin = max(int(font.getlength(label)) for label in labels) + 10
    step = width * scale + gap
    row_height = height * scale + gap + (line if captions else 0)
    top = line if headers else 0
    sheet = Image.new("RGB", (margin + count * step, top + len(rows) * row_height), BACKGROUND)
    sheet.info |= _places(rows[0], scale, gap, margin + gap, top, row_height)
    draw = ImageDraw.Draw(sheet)

    def write(text: str, column: int, y: int) -> None:
        draw.text((margin + column * step + step // 2, y + line // 2), text, font=font, fill=INK, anchor="mm")

    for column, text in enumerate(headers):
        write(text, column, 0)
    for index, (row, label) in enumerate(zip(rows, labels, strict=True)):
        strip = grid(row, columns=count, scale=scale, gap=gap).crop((0, gap, count * step, gap + height * scale))
        sheet.paste(strip, (margin, top))
        draw.text((5, top + height * scale // 2), label, font=font, fill=INK, anchor="lm")
        for column, text in enumerate(captions[index] if captions else ()):
            write(text, column, top + height * scale)
        top += row_height
    return sheet


def side_by_side(sheets: Mapping[str, Image.Image], gap: int = 24) -> Image.Image:
    """Images of any size side by side, each with its title above it.

    Args:
        sheets: the images by title.
        gap: white pixels between the images.
    """
    font = ImageFont.load_default(size=16)
    width = sum(sheet.width for sheet in sheets.values()) + gap * (len(sheets) - 1)
    canvas = Image.new("RGB", (width, 26 + max(sheet.height for sheet in sheets.values())), BACKGROUND)
    draw, left = ImageDraw.Draw(canvas), 0
    for title, sheet in sheets.items():
        draw.text((left + 4, 4), _shortened(title, font, sheet.width - 8), font=font, fill=INK)
        canvas.paste(sheet, (left, 26))
        left += sheet.width + gap
    return canvas


def save(folder: Path, images: np.ndarray, names: Sequence[str] | None = None) -> None:
    """Write images as PNG into `folder`, all of them or none; an existing folder is replaced.

    Args:
        images: `uint8` N x H x W x 3 in [0, 255].
        names: of the files, without `.png`; by default `0000`, `0001`, ...
    """
    if names is None:
        digits = max(4, len(str(len(images) - 1)))
        names = [f"{index:0{digits}d}" for index in range(len(images))]
    with replacing(folder) as temporary:
        temporary.mkdir(parents=True)
        for name, image in zip(names, images, strict=True):
            Image.fromarray(image).save(temporary / f"{name}.png")


def _places(
    images: np.ndarray, scale: int, gap: int, left: int, top: int, step_y: int
) -> dict[str | tuple[int, int], int]:
    """The values of `PLACES` of a grid: the first image is at `left` and `top`, and rows are `step_y` apart."""
    _, height, width, _ = images.shape
    values = (left, top, width * scale, height * scale, width * scale + gap, step_y)
    places: dict[str | tuple[int, int], int] = dict(zip(PLACES, values, strict=True))
    return places


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
