"""The mean squared error between two folders of images with the same names, on 0..255."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcv.data.images import list_images, read_images
from dlcv.runtime.errors import UserError


def compare(folder: Path, reference: Path) -> dict[str, float]:
    """The mean squared difference over the pixels and channels of each image, by the name of its file.

    All images have one size, so the mean of these values is the mean over all pixels.

    Raises:
        UserError: an image that is in one folder only, images of different sizes, or a file that is no PNG.
    """
    own, other = ([file.name for file in list_images(path, png_only=True)] for path in (folder, reference))
    for here, there, names, counterparts in ((folder, reference, own, other), (reference, folder, other, own)):
        if unmatched := sorted(set(names) - set(counterparts)):
            more = f" and {len(unmatched) - 1} more" if len(unmatched) > 1 else ""
            raise UserError(f"{here / unmatched[0]}{more} has no counterpart in {there}; the names have to be the same")
    ours, theirs = read_images(folder), read_images(reference)
    if ours.shape != theirs.shape:
        sizes = [f"{images.shape[2]} x {images.shape[1]}" for images in (ours, theirs)]
        raise UserError(f"{folder} has images of {sizes[0]} pixels and {reference} of {sizes[1]}; give one size")
    # One image at a time: in float64 a whole folder would take eight times its memory.
    return {name: float(((a.astype(np.float64) - b) ** 2).mean()) for name, a, b in zip(own, ours, theirs, strict=True)}
