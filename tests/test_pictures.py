from __future__ import annotations

import numpy as np
import pytest

from dlcv.pictures import grid, labelled_rows


def test_grid_places_each_picture_where_its_row_and_column_say() -> None:
    images = np.zeros((5, 2, 3, 3), dtype=np.uint8)
    images[4] = 77
    picture = np.asarray(grid(images, columns=2, scale=2, gap=1))
    assert picture.shape == (3 * (2 * 2 + 1) + 1, 2 * (3 * 2 + 1) + 1, 3)
    # The fifth picture is alone in the third row; its neighbour's place stays white.
    assert (picture[11:15, 1:7] == 77).all()
    assert (picture[11:15, 8:14] == 255).all()


def test_grid_of_fewer_pictures_than_columns_is_no_wider_than_they_are() -> None:
    assert grid(np.zeros((2, 4, 4, 3), dtype=np.uint8), columns=9, gap=0).size == (8, 4)


def test_labelled_rows_take_rows_of_different_length_and_write_in_the_margin() -> None:
    rows = [np.zeros((3, 8, 8, 3), dtype=np.uint8), np.zeros((0, 8, 8, 3), dtype=np.uint8)]
    sheet = np.asarray(labelled_rows(rows, ["one", "two"], title="a title far too long for this sheet", scale=2))
    margin = sheet[:, :10]
    assert (margin < 200).any() and sheet.shape[2] == 3
    assert sheet.shape[1] < 120


def test_labelled_rows_want_one_label_for_each_row() -> None:
    with pytest.raises(ValueError, match="1 rows but 2 labels"):
        labelled_rows([np.zeros((1, 2, 2, 3), dtype=np.uint8)], ["a", "b"])
