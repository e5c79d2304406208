"""Image files of every kind: decoded alone, listed in a folder, and read as one array."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcv.data.images import decode, list_images, open_rgb, read_images
from dlcv.runtime.errors import UserError
from tests.sources.conftest import png


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
    with pytest.raises(UserError, match=r"^some/0\.png is not an image \(PNG, .*\); replace it"):
        decode(b"%PDF-1.4 something else", "some/0.png", 64, crop=True)


def noise(count: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def write(folder: Path, images: np.ndarray) -> Path:
    folder.mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{index:05}.png")
    return folder


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "images", noise(12))
    (folder / "about.json").write_text("{}")
    (folder / ".hidden").write_text("")
    assert np.array_equal(read_images(folder, at_least=12), noise(12))
    Image.fromarray(noise(1)[0]).convert("L").save(folder / "grey.PNG")
    assert read_images(folder).shape == (13, 16, 16, 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("00003.jpg", "jpeg", "is an image, but no PNG"),
        ("00003.png", "jpeg", "is a JPEG that is called PNG"),
        ("00003.png", "text", "is no PNG image"),
        ("notes.txt", "text", "is no image"),
        ("00003.png", "half", "is truncated or damaged"),
        ("00003.png", "large", "is 20 x 20 pixels and 00000.png 16 x 16"),
    ],
)
def test_what_is_no_png_of_one_size_is_refused_by_name(tmp_path: Path, name: str, content: str, message: str) -> None:
    folder = write(tmp_path / "images", noise(3))
    if content == "jpeg":
        Image.fromarray(noise(1)[0]).save(folder / name, format="JPEG")
    elif content == "half":
        whole = (folder / "00000.png").read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
    elif content == "large":
        Image.fromarray(noise(1, 20)[0]).save(folder / name)
    else:
        (folder / name).write_text("no image at all")
    with pytest.raises(UserError, match=f"images/{name} {message}") as caught:
        read_images(folder)
    assert "\n" not in str(caught.value)


def test_too_few_images_and_no_folder_are_refused_by_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "few", noise(3))
    with pytest.raises(UserError, match="few holds 3 images, but 4 are asked for"):
        read_images(folder, at_least=4)
    with pytest.raises(UserError, match="empty holds no images"):
        read_images(write(tmp_path / "empty", noise(0)))
    with pytest.raises(UserError, match="there is no folder .*nowhere"):
        read_images(tmp_path / "nowhere")


def test_a_folder_of_any_format_is_listed_without_its_tables_and_notes(tmp_path: Path) -> None:
    folder = write(tmp_path / "images", noise(2))
    Image.fromarray(noise(1)[0]).save(folder / "00000.JPG", format="JPEG")
    (folder / "sub").mkdir()
    for name in ("labels.csv", "about.json", "README.md", "notes.txt", ".hidden"):
        (folder / name).write_text("x")
    assert [file.name for file in list_images(folder)] == ["00000.JPG", "00000.png", "00001.png"]
    (folder / "notes.pdf").write_text("x")
    with pytest.raises(UserError, match=r"images/notes.pdf is no image \(.png, .jpg.*\); take it out or convert it"):
        list_images(folder)


def test_no_other_program_reads_an_image() -> None:
    """Pillow gives PostScript to the program gs, whatever the file is called."""
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(UserError, match=r"^some/0\.png is not an image \(PNG"):
        open_rgb(postscript, "some/0.png")


def test_pixels_that_are_floats_are_refused() -> None:
    data = io.BytesIO()
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(data, "TIFF")
    with pytest.raises(UserError, match=r"0.tif has floats as pixels, whose range is unknown; save it with 8 or 16"):
        open_rgb(data.getvalue(), "0.tif")


def test_of_an_animation_it_is_the_first_frame() -> None:
    data = io.BytesIO()
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:])
    assert open_rgb(data.getvalue(), "0.gif").getpixel((0, 0)) == (255, 0, 0)
