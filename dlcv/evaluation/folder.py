"""Pictures from a folder of PNG files, as the scores take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcv.data.images import is_picture, open_rgb
from dlcv.errors import UserError

PNG = b"\x89PNG\r\n\x1a\n"


def read_pictures(folder: Path, at_least: int | None = None) -> np.ndarray:
    """Every picture of a folder, in the order of the files' names.

    Hidden files and `.json` beside the pictures are passed over; sub-folders are not searched.

    Args:
        at_least: how many pictures are needed, if a certain number is.

    Returns:
        `uint8` N x H x W x 3 in [0, 255].

    Raises:
        UserError: no folder, no pictures or too few of them, a JPEG (its compression alone moves a Fréchet distance by
            points), what is no picture, a damaged one, or pictures of different sizes.
    """
    files = list_pictures(folder, at_least)
    images: np.ndarray | None = None
    for index, file in enumerate(files):
        image = _decode(file)
        if images is None:
            images = np.empty((len(files), *image.shape), dtype=np.uint8)
        elif image.shape != images.shape[1:]:
            first, this = (f"{width} x {height}" for height, width, _ in (images.shape[1:], image.shape))
            raise UserError(f"{file} is {this} pixels and {files[0].name} {first}; give pictures of one size")
        images[index] = image
    assert images is not None
    return images


def list_pictures(folder: Path, at_least: int | None = None) -> list[Path]:
    """The files that `read_pictures` reads, none of which is opened.

    Raises:
        UserError: as there, for what names and counts tell.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give one with PNG pictures")
    files = []
    for file in sorted(folder.iterdir()):
        if file.is_dir() or file.name.startswith(".") or file.suffix == ".json":
            continue
        if file.suffix.lower() != ".png":
            what = "is a picture, but no PNG" if is_picture(file.name) else "is no picture"
            raise UserError(f"{file} {what}; the scores take PNG files alone, take it out")
        files.append(file)
    if not files:
        raise UserError(f"{folder} holds no pictures; give a folder with PNG files")
    if at_least is not None and len(files) < at_least:
        raise UserError(f"{folder} holds {len(files)} pictures, but {at_least} are asked for")
    return files


def _decode(file: Path) -> np.ndarray:
    data = file.read_bytes()
    if not data.startswith(PNG):
        what = "a JPEG that is called PNG" if data.startswith(b"\xff\xd8") else "no PNG picture"
        raise UserError(f"{file} is {what}; the scores take PNG files alone, take it out")
    return np.asarray(open_rgb(data, str(file)))
