"""Faces from noise: the stage with its figures, and independence of batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dlcv.data.batches import to_uint8
from dlcv.data.latents import normal
from dlcv.diffusion import faces as module
from dlcv.diffusion import sample_faces
from dlcv.diffusion.config import Ddim
from dlcv.diffusion.faces import SHAPE, generate, load_model
from dlcv.diffusion.samplers import ddim, noise_predictor, spaced
from dlcv.diffusion.schedule import linear
from dlcv.runtime.config import load
from dlcv.runtime.files import read_json
from tests.diffusion.conftest import face_network

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations


def saved_images(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.iterdir())}


def expected(noise: torch.Tensor, steps: int = 3, **options: Any) -> np.ndarray:
    """Images of the network with seed 0, sampled without the stage."""
    schedule = linear(1000, 1e-4, 0.02)
    predict = noise_predictor(face_network(0), schedule, "velocity", torch.device("cpu"))
    options = {"clip_x0": True, "rederive": True, **options}
    return to_uint8(ddim(predict, noise, schedule, spaced("uniform+1", steps, 1000), **options)).numpy()


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal except for rounding: memory format and batch size may differ."""
    return a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= 1


def test_the_stage_draws_the_images_of_the_seed_and_the_figures(trained_faces: Path) -> None:
    out = sample_faces.run(load())
    figures = ["eta.png", "grid.png", "interpolation.png", "process.png", "strip.png"]
    others = ["figures.json", "interpolation.csv", "noise", "images"]
    others += ["eta.json", "interpolation.json", "process.json", "strip.json"]
    assert sorted(path.name for path in out.iterdir()) == sorted([*figures, *others])
    listed = read_json(out / "figures.json")
    assert [figure["file"] for figure in listed["figures"]] == list(sample_faces.CAPTIONS)
    assert sorted(sample_faces.CAPTIONS) == figures
    assert listed["of"] == "Stage `stages/ddim/dvc.yaml:sample@0`, training `unet-0` `ffffffffffff`"
    drawn = saved_images(out / "images")
    assert list(drawn) == [f"{index:04d}.png" for index in range(10)]
    images = np.stack(list(drawn.values()))
    assert close(images, expected(normal(10, SHAPE, 0))) and images.std() > 10
    assert len(np.unique(images.reshape(10, -1), axis=0)) == 10

    # Four rows, five columns; the first is eta 0. 18 pixels for the headers; 130 for an image, 18 for its caption.
    eta = np.asarray(Image.open(out / "eta.png"))
    assert eta.shape[0] == 18 + 4 * 148 and eta.shape[1] > 5 * 130
    left = eta.shape[1] - 5 * 130
    cells = [
        [eta[18 + 148 * row :, left + 2 + 130 * column :][:128:2, :128:2] for column in range(5)] for row in range(4)
    ]
    assert all(close(cells[row][0], images[row]) for row in range(4))
    notes = read_json(out / "eta.json")["notes"]
    assert [row[0] for row in notes] == ["MSE 0"] * 4 and all(row[4] != "MSE 0" for row in notes)
    assert all(np.abs(cells[0][a].astype(int) - cells[0][a + 1]).max() > 5 for a in range(4))
    kept = [np.load(path) for path in sorted((out / "noise").iterdir())]
    assert np.array_equal(np.stack(kept), normal(4, SHAPE, 0).numpy())

    table = pd.read_csv(out / "interpolation.csv").set_index(["path", "alpha"])
    assert len(table) == 22
    ends = normal(2, SHAPE, 0).flatten(1).norm(dim=1)
    for path in ("spherical", "linear"):
        assert table.loc[(path, 0.0), "norm"] == pytest.approx(ends[0].item(), rel=1e-4)
        assert table.loc[(path, 1.0), "norm"] == pytest.approx(ends[1].item(), rel=1e-4)
    assert table.loc[("spherical", 0.5), "norm"] == pytest.approx(110.9, rel=0.02)
    assert table.loc[("linear", 0.5), "norm"] == pytest.approx(110.9 * 0.707, rel=0.02)
    first = ((images[0].astype(float) - images[1]) ** 2).mean()
    assert 0 < table.loc[("spherical", 0.1), "change"] < first
    # The last row of the strip is of the last snapshot.
    strip = np.asarray(Image.open(out / "strip.png"))
    assert strip.shape[0] == 2 * 132


def test_samples_in_several_batches_are_the_same(trained_faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = load()[Ddim]
    model = load_model(Path("out/ddim/unet-0"))
    sampling = section.sampling.model_copy(update={"eta": 1.0})
    noise = normal(5, SHAPE, 0)
    whole = generate(model, noise, list(range(5)), sampling)
    monkeypatch.setattr(module, "BATCH", 2)
    parts = generate(model, noise, list(range(5)), sampling)
    assert close(to_uint8(whole).numpy(), to_uint8(parts).numpy())
