from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dlcv.data.images import decode
from dlcv.runtime.errors import UserError

from .conftest import png


def encoded(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()


def test_sixteen_bits_become_eight() -> None:
    values = np.linspace(0, 65535, 28 * 28).reshape(28, 28).astype(np.uint16)
    array = decode(encoded(Image.fromarray(values)), "x.png", 28, crop=False)
    assert np.array_equal(array[..., 0], values // 257) and np.array_equal(array[..., 0], array[..., 2])


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGBA", "LA", "RGB"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    array = decode(png(mode=mode, size=(40, 30)), "x.png", 28, crop=False)
    assert array.shape == (28, 28, 3) and array.dtype == np.uint8


def test_what_is_transparent_shows_white() -> None:
    image = Image.new("RGBA", (28, 28), (10, 20, 30, 0))
    assert (decode(encoded(image), "x.png", 28, crop=False) == 255).all()


def test_faces_are_cropped_to_the_centre_and_digits_are_stretched() -> None:
    wide = np.zeros((64, 128, 3), dtype=np.uint8)
    wide[:, 32:96] = 200  # the centre square
    data = encoded(Image.fromarray(wide))
    assert (decode(data, "x.png", 64, crop=True) == 200).all()
    assert (decode(data, "x.png", 64, crop=False)[:, :8] == 0).all()


def test_a_truncated_image_is_named() -> None:
    data = png(size=(64, 64))
    with pytest.raises(UserError, match=r"^some/0\.png is truncated or damaged \(.*\); replace it with a whole copy$"):
        decode(data[: len(data) // 2], "some/0.png", 64, crop=True)


def test_a_foreign_file_is_named() -> None:
    with pytest.raises(UserError, match=r"^some/0\.png is not an image; replace it"):
        decode(b"%PDF-1.4 something else", "some/0.png", 64, crop=True)
