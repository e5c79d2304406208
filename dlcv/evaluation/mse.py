"""The mean squared error between two folders of images of the same names, on 0..255."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcv.evaluation.folder import list_images, read_images
from dlcv.runtime.errors import UserError


def compare(folder: Path, reference: Path) -> dict[str, float]:
    """The mean over pixels and channels of the squared difference, for each image by its file's name.

    The mean over all images is that over this dictionary's values, since all are of one size.

    Raises:
        UserError: an image that only one folder has, images of different sizes, or what is no PNG.
    """
    own, other = ([file.name for file in list_images(path)] for path in (folder, reference))
    for here, there, names, counterparts in ((folder, reference, own, other), (reference, folder, other, own)):
        if alone := sorted(set(names) - set(counterparts)):
            more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
            raise UserError(f"{here / alone[0]}{more} has no counterpart in {there}; the names have to be the same")
    ours, theirs = read_images(folder), read_images(reference)
    if ours.shape != theirs.shape:
        sizes = [f"{images.shape[2]} x {images.shape[1]}" for images in (ours, theirs)]
        raise UserError(f"{folder} has images of {sizes[0]} pixels and {reference} of {sizes[1]}; give one size")
    # One at a time: whole folders would be eight times their size in float64.
    return {name: float(((a.astype(np.float64) - b) ** 2).mean()) for name, a, b in zip(own, ours, theirs, strict=True)}
