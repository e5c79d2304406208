"""From an image file of any kind to a square RGB array."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dlcv.runtime.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".gif", ".tif", ".tiff", ".webp")


def is_image(name: str) -> bool:
    """Whether a file's name ends like that of an image."""
    return name.lower().endswith(SUFFIXES)


def decode(data: bytes, where: str, size: int, crop: bool) -> np.ndarray:
    """Decode an image file.

    Args:
        data: the file's bytes, in any format that Pillow reads.
        where: the file's name for messages.
        size: side of the result in pixels.
        crop: cut the centre square out first (faces keep their aspect); else stretch to a square
            (digits lose no stroke; SVHN's own cropped format does the same).

    Returns:
        `uint8` size x size x 3 in [0, 255].

    Raises:
        UserError: not an image, truncated, damaged, or too large to be honest.
    """
    return fit(open_rgb(data, where), size, crop)


def open_rgb(data: bytes, where: str) -> Image.Image:
    """Decode an image file at its own size, turned as its EXIF says. Arguments and errors as of `decode`."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise UserError(f"{where} is not an image; replace it or take it out of the data") from None
    except Image.DecompressionBombError:
        raise UserError(f"{where} would unpack to a huge image; take it out of the data") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{where} is truncated or damaged ({reason}); replace it with a whole copy") from None


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as 8-bit RGB: grey is replicated, 16 bits become 8, what is transparent shows white."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        # Pillow opens 16-bit greys as I or I;16; an 8-bit range in an I image stays what it is.
        values = values // 257 if values.max() > 255 else values
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def fit(image: Image.Image, size: int, crop: bool) -> np.ndarray:
    """Bring an RGB image to size x size: `uint8` size x size x 3."""
    if crop and image.width != image.height:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    if image.size != (size, size):
        # Pillow's filters widen with the reduction, so a large photograph does not alias.
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)
