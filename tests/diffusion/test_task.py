"""The course's DDIM task: its images from its noise and weights, beside ours."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcv.diffusion import foreign_weights, task
from dlcv.diffusion.faces import SHAPE
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json

pytestmark = pytest.mark.slow


GIVEN = Path("data/ddim/course")


@pytest.fixture
def given(trained_faces: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two noises, black images, and weights that are those of the small network."""

    def imported(path: Path, out: Path) -> Path:
        assert path == GIVEN / "UNet.pt"
        return Path(shutil.copytree("out/ddim/unet-0", out))

    monkeypatch.setattr(foreign_weights, "run", imported)
    for part in ("noise", "GT"):
        (GIVEN / part).mkdir(parents=True)
    (GIVEN / "UNet.pt").write_bytes(b"weights")
    for index in range(2):
        torch.save(torch.randn(SHAPE, generator=torch.Generator().manual_seed(index)), GIVEN / f"noise/{index:02d}.pt")
        Image.new("RGB", SHAPE[1:]).save(GIVEN / f"GT/{index:02d}.png")
    return trained_faces


def test_the_error_is_that_of_the_written_images(given: Path) -> None:
    out = task.run("course")
    scores = read_json(out / "scores.json")["scores"]
    for way in ("clipped", "stretched"):
        images = [np.asarray(Image.open(out / way / f"{index:02d}.png"), dtype=float) for index in range(2)]
        errors = [float((image**2).mean()) for image in images]  # the course's are black
        assert scores[way]["images"] == pytest.approx({"00.png": errors[0], "01.png": errors[1]})
        assert scores[way]["mse"] == pytest.approx(sum(errors) / 2)
    assert np.asarray(Image.open(out / "stretched/00.png")).min() == 0
    assert np.asarray(Image.open(out / "stretched/00.png")).max() == 255
    assert Image.open(out / "beside.png").height > 3 * SHAPE[1]  # course, clipped, stretched


def test_the_same_images_have_no_error(given: Path) -> None:
    images = task.run("course") / "clipped"
    for file in images.iterdir():
        shutil.copy(file, GIVEN / "GT")
    assert read_json(task.run("course") / "scores.json")["scores"]["clipped"]["mse"] == 0.0


def test_other_names_are_one_line_and_nothing_is_written(given: Path) -> None:
    (GIVEN / "GT/01.png").rename(GIVEN / "GT/99.png")
    with pytest.raises(UserError, match=r"01.png has no counterpart"):
        task.run("course")
    assert not Path("out/ddim/task-course").exists()
