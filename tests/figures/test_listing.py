from __future__ import annotations

from pathlib import Path

import pytest

from dlcv.figures.listing import FILE, write_listing
from dlcv.runtime.files import read_json


def test_the_list_has_the_captions_in_the_given_order_and_the_origin(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "not listed.png"):
        (tmp_path / name).touch()
    write_listing(tmp_path, {"b.png": "Samples of the generator.", "a.png": "The losses."}, of="Stage `evaluate@sngan`")
    assert FILE == "figures.json" and read_json(tmp_path / FILE) == {
        "of": "Stage `evaluate@sngan`",
        "figures": [
            {"file": "b.png", "caption": "Samples of the generator."},
            {"file": "a.png", "caption": "The losses."},
        ],
    }


def test_a_caption_without_its_figure_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(FileNotFoundError, match=r"b\.png has a caption but does not exist$"):
        write_listing(tmp_path, {"a.png": "The losses.", "b.png": "Samples."}, of="")
    assert not (tmp_path / FILE).exists()
