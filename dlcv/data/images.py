"""Images from files: the listing of a folder, a folder of PNG files as one array, a file of any format as RGB."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dlcv.runtime.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".gif", ".tif", ".tiff", ".webp")
# What Pillow may try. Without this list a file called x.png that holds PostScript would start another program.
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "GIF", "TIFF", "WEBP")
NOTES = (".csv", ".json", ".md", ".txt")  # tables and notes that may lie beside images
PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"


def is_image(name: str) -> bool:
    """Whether a file's name has the suffix of an image format."""
    return name.lower().endswith(SUFFIXES)


def list_images(folder: Path, png_only: bool = False) -> list[Path]:
    """The image files in `folder` in the order of their names; none is opened.

    Sub-folders are not searched. Hidden files, tables and notes are skipped.

    Args:
        png_only: refuse every other format, and every table and note but JSON.

    Raises:
        UserError: no such folder, no images in it, or a file of another kind.
    """
    wanted = "PNG images" if png_only else "images"
    formats, notes = ((".png",), (".json",)) if png_only else (SUFFIXES, NOTES)
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give one with {wanted}")
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot list {folder} ({error.strerror}); mend its permissions") from None
    files = []
    for file in found:
        suffix = file.suffix.lower()
        if file.is_dir() or file.name.startswith(".") or suffix in notes:
            continue
        if suffix not in formats:
            what = "an image, but no PNG" if is_image(file.name) else "no image"
            cure = "scores need PNG files, take it out" if png_only else "take it out or convert it"
            raise UserError(f"{file} is {what} ({', '.join(formats)}); {cure}")
        files.append(file)
    if not files:
        raise UserError(f"{folder} holds no images; give the folder that has {wanted} directly inside")
    return files


def read_images(folder: Path, at_least: int | None = None) -> np.ndarray:
    """All images of a folder of PNG files in the order of their names.

    JPEG is refused because its compression alone moves a Fréchet distance by points.

    Args:
        at_least: how many images are needed.

    Returns:
        `uint8` N x H x W x 3 in [0, 255].

    Raises:
        UserError: as `list_images(folder, png_only=True)`; too few images, a damaged one, or different sizes.
    """
    files = list_images(folder, png_only=True)
    if at_least is not None and len(files) < at_least:
        raise UserError(f"{folder} holds {len(files)} images, but {at_least} are asked for")
    images: np.ndarray | None = None
    for index, file in enumerate(files):
        image = _read_png(file)
        if images is None:
            images = np.empty((len(files), *image.shape), dtype=np.uint8)
        elif image.shape != images.shape[1:]:
            first, this = (f"{width} x {height}" for height, width, _ in (images.shape[1:], image.shape))
            raise UserError(f"{file} is {this} pixels and {files[0].name} {first}; give images of one size")
        images[index] = image
    assert images is not None
    return images


def _read_png(file: Path) -> np.ndarray:
    data = file.read_bytes()
    if not data.startswith(PNG):
        what = "a JPEG that is called PNG" if data.startswith(JPEG) else "no PNG image"
        raise UserError(f"{file} is {what}; scores need PNG files, take it out")
    return np.asarray(open_rgb(data, str(file)))


def decode(data: bytes, where: str, size: int, crop: bool) -> np.ndarray:
    """Decode an image file.

    Args:
        data: the file's bytes, in one of `FORMATS`.
        where: the file's name for messages.
        size: side of the result in pixels.
        crop: cut out the centre square first (faces keep their aspect ratio); else stretch to a square
            (digits lose no stroke; SVHN's own cropped format does the same).

    Returns:
        `uint8` size x size x 3 in [0, 255].

    Raises:
        UserError: not an image, truncated, damaged, with floats as pixels, or so large that it may be a
            decompression bomb.
    """
    return fit(open_rgb(data, where), size, crop)


def open_rgb(data: bytes, where: str) -> Image.Image:
    """Decode an image file at its own size, rotated by its EXIF orientation. Arguments and errors as of `decode`.

    Of an animation it is the first frame.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.mode == "F":
                raise UserError(f"{where} has floats as pixels, whose range is unknown; save it with 8 or 16 bits")
            return to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise UserError(
            f"{where} is not an image ({', '.join(FORMATS)}); replace it or take it out of the data"
        ) from None
    except Image.DecompressionBombError:
        raise UserError(f"{where} would unpack to a huge image; take it out of the data") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{where} is truncated or damaged ({reason}); replace it with a whole copy") from None


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as 8-bit RGB: grey is replicated, 16 bits become 8, transparent pixels become white."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        # Pillow opens 16-bit grey images as I or I;16; an I image with values up to 255 is left as it is.
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
        # Pillow widens the filter when it reduces, so a large photograph does not alias.
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)
