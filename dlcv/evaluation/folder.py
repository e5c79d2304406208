"""Images from a folder of PNG files, as the scores take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcv.data.images import is_image, open_rgb
from dlcv.runtime.errors import UserError

PNG = b"\x89PNG\r\n\x1a\n"


def read_images(folder: Path, at_least: int | None = None) -> np.ndarray:
    """Every image of a folder, in the order of the files' names.

    Hidden files and `.json` beside the images are passed over; sub-folders are not searched.

    Args:
        at_least: how many images are needed, if a certain number is.

    Returns:
        `uint8` N x H x W x 3 in [0, 255].

    Raises:
        UserError: no folder, no images or too few of them, a JPEG (its compression alone moves a Fréchet distance by
            points), what is no image, a damaged one, or images of different sizes.
    """
    files = list_images(folder, at_least)
    images: np.ndarray | None = None
    for index, file in enumerate(files):
        image = _decode(file)
        if images is None:
            images = np.empty((len(files), *image.shape), dtype=np.uint8)
        elif image.shape != images.shape[1:]:
            first, this = (f"{width} x {height}" for height, width, _ in (images.shape[1:], image.shape))
            raise UserError(f"{file} is {this} pixels and {files[0].name} {first}; give images of one size")
        images[index] = image
    assert images is not None
    return images


def list_images(folder: Path, at_least: int | None = None) -> list[Path]:
    """The files that `read_images` reads, none of which is opened.

    Raises:
        UserError: as there, for what names and counts tell.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give one with PNG images")
    files = []
    for file in sorted(folder.iterdir()):
        if file.is_dir() or file.name.startswith(".") or file.suffix == ".json":
            continue
        if file.suffix.lower() != ".png":
            what = "is an image, but no PNG" if is_image(file.name) else "is no image"
            raise UserError(f"{file} {what}; the scores take PNG files alone, take it out")
        files.append(file)
    if not files:
        raise UserError(f"{folder} holds no images; give a folder with PNG files")
    if at_least is not None and len(files) < at_least:
        raise UserError(f"{folder} holds {len(files)} images, but {at_least} are asked for")
    return files


def _decode(file: Path) -> np.ndarray:
    data = file.read_bytes()
    if not data.startswith(PNG):
        what = "a JPEG that is called PNG" if data.startswith(b"\xff\xd8") else "no PNG image"
        raise UserError(f"{file} is {what}; the scores take PNG files alone, take it out")
    return np.asarray(open_rgb(data, str(file)))
