from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcv.figures.grids import captioned, grid, labelled_rows, save, side_by_side


def test_grid_places_images_in_row_order() -> None:
    images = np.zeros((5, 2, 3, 3), dtype=np.uint8)
    images[4] = 77
    image = np.asarray(grid(images, columns=2, scale=2, gap=1))
    assert image.shape == (3 * (2 * 2 + 1) + 1, 2 * (3 * 2 + 1) + 1, 3)
    # The fifth image is alone in the third row; the place beside it stays white.
    assert (image[11:15, 1:7] == 77).all()
    assert (image[11:15, 8:14] == 255).all()


def test_grid_of_fewer_images_than_columns_has_no_empty_columns() -> None:
    assert grid(np.zeros((2, 4, 4, 3), dtype=np.uint8), columns=9, gap=0).size == (8, 4)


def test_labelled_rows_may_differ_in_length_and_have_labels_in_the_margin() -> None:
    rows = [np.zeros((3, 8, 8, 3), dtype=np.uint8), np.zeros((0, 8, 8, 3), dtype=np.uint8)]
    sheet = np.asarray(labelled_rows(rows, ["one", "two"], title="a title far too long for this sheet", scale=2))
    margin = sheet[:, :10]
    assert (margin < 200).any() and sheet.shape[2] == 3
    assert sheet.shape[1] < 120


def test_labelled_rows_need_one_label_for_each_row() -> None:
    with pytest.raises(ValueError, match="1 rows but 2 labels"):
        labelled_rows([np.zeros((1, 2, 2, 3), dtype=np.uint8)], ["a", "b"])


def test_side_by_side_places_images_of_any_size_below_their_titles() -> None:
    sheets = {"first": Image.new("RGB", (80, 30), (255, 0, 0)), "a title that is too long": Image.new("RGB", (60, 50))}
    sheet = np.asarray(side_by_side(sheets, gap=10))
    assert sheet.shape == (26 + 50, 80 + 10 + 60, 3)
    assert (sheet[26:56, :80] == [255, 0, 0]).all() and (sheet[26:, 90:] == 0).all()
    assert (sheet[56:, :80] == 255).all() and (sheet[:, 80:90] == 255).all()
    assert (sheet[:26, :80] < 200).any() and (sheet[:26, 90:] < 200).any()


def test_saved_images_can_be_read_and_are_numbered_in_order(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(12, 5, 4, 3), dtype=np.uint8)
    save(tmp_path / "deep/images", images)
    files = sorted((tmp_path / "deep/images").iterdir())
    assert [file.name for file in files] == [f"{number:04d}.png" for number in range(12)]
    assert all((np.asarray(Image.open(file)) == image).all() for file, image in zip(files, images, strict=True))
    save(tmp_path / "deep/images", images[:2])  # replaces the whole folder
    assert len(list((tmp_path / "deep/images").iterdir())) == 2


@pytest.mark.slow
def test_more_than_10000_images_are_sorted_by_name_too(tmp_path: Path) -> None:
    save(tmp_path / "many", np.zeros((10_001, 1, 1, 3), dtype=np.uint8))
    names = sorted(file.name for file in (tmp_path / "many").iterdir())
    assert names[0] == "00000.png" and names[-1] == "10000.png" and len(names) == 10_001


def test_a_full_disk_leaves_the_previous_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "images", np.zeros((2, 4, 4, 3), dtype=np.uint8))
    real, written = Image.Image.save, []

    def failing(self: Image.Image, path: Path) -> None:
        written.append(path)
        if len(written) == 2:
            raise OSError("No space left on device")
        real(self, path)

    monkeypatch.setattr(Image.Image, "save", failing)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path / "images", np.ones((3, 4, 4, 3), dtype=np.uint8))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["0000.png", "0001.png", "images"]
    assert not np.asarray(Image.open(tmp_path / "images/0000.png")).any()


def test_captions_are_below_their_images_and_headers_above_their_columns() -> None:
    rows = [np.full((3, 40, 40, 3), value, dtype=np.uint8) for value in (10, 90)]
    rows[1][2] = 200
    bare = np.asarray(captioned(rows, ["a", "b"], scale=1, gap=2))
    sheet = np.asarray(captioned(rows, ["a", "b"], [["1", "", ""], ["", "", "22"]], ["x", "", ""], scale=1, gap=2))
    left = bare.shape[1] - 3 * 42
    assert bare.shape[0] == 2 * 42 and sheet.shape == (18 + 2 * (42 + 18), bare.shape[1], 3)
    assert (bare[:40, left + 2 : left + 42] == 10).all() and (bare[42:82, left + 86 : left + 126] == 200).all()
    assert (sheet[18:58, left + 2 : left + 42] == 10).all() and (sheet[78:118, left + 86 : left + 126] == 200).all()

    def inked(top: int, column: int) -> bool:
        return bool((sheet[top : top + 18, left + 42 * column : left + 42 * (column + 1)] < 128).any())

    assert [inked(0, column) for column in range(3)] == [True, False, False]
    assert [inked(60, column) for column in range(3)] == [True, False, False]
    assert [inked(120, column) for column in range(3)] == [False, False, True]
