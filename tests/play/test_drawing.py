"""Pictures of faces and digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dlcv.data.latents import normal
from dlcv.figures.grids import grid, labelled_rows
from dlcv.play import drawing
from dlcv.play.shelf import Shelf
from dlcv.runtime.errors import UserError

pytestmark = pytest.mark.slow


class Linear:
    """A model whose images are a linear map of latents of 5 dimensions, around grey."""

    shape = (5,)

    def __init__(self, weights: torch.Tensor):
        self.weights = weights

    def generate(self, latents: torch.Tensor) -> np.ndarray:
        return (128 + latents @ self.weights).numpy().reshape(-1, 2, 2, 3)


def pixels(picture: Any) -> np.ndarray:
    return np.asarray(picture)


@pytest.mark.parametrize("name", ["gan/sngan-0", "vae/vae-0", "ddim/unet-0"])
def test_faces_are_the_samples_of_the_model(shelf: Shelf, name: str) -> None:
    options: dict[str, float] = {"steps": 2, "eta": 0.5} if shelf.options(name) else {}
    wanted = grid(shelf.open(name).sample(3, seed=5, **options), columns=8, scale=2)
    np.testing.assert_array_equal(pixels(drawing.faces(shelf, name, 3, 5, options=options)), pixels(wanted))


def test_shifts_move_latents_along_directions(shelf: Shelf) -> None:
    name = "gan/sngan-0"
    model = shelf.open(name)
    moved = normal(2, model.shape, 1) + 3 * drawing.directions(model, 2)[1]
    wanted = grid(model.generate(moved), columns=8, scale=2)
    found = pixels(drawing.faces(shelf, name, 2, 1, (0, 3)))
    np.testing.assert_array_equal(found, pixels(wanted))
    assert (found != pixels(drawing.faces(shelf, name, 2, 1))).any()


def test_directions_are_the_strongest_ones_of_a_linear_model() -> None:
    # Images along which latents 3 and 1 are strong, in this order; the others hardly matter.
    weights = torch.zeros(5, 12)
    weights[0, 0], weights[2, 2], weights[4, 4] = 0.1, 0.1, 0.1
    weights[3, 5], weights[1, 7] = 20.0, 8.0
    found = drawing.directions(Linear(weights), 2)
    assert found.shape == (2, 5)
    np.testing.assert_allclose(found.norm(dim=1), 1, rtol=1e-5)
    assert found[0].abs().argmax() == 3 and found[0, 3].abs() > 0.98
    assert found[1].abs().argmax() == 1 and found[1, 1].abs() > 0.98


@pytest.mark.parametrize("name", ["gan/sngan-0", "ddim/unet-0"])
def test_interpolation_goes_from_one_seed_to_the_other(shelf: Shelf, name: str) -> None:
    options: dict[str, float] = {"steps": 2, "eta": 0.0} if shelf.options(name) else {}
    model = shelf.open(name)
    a, b = normal(1, model.shape, 3), normal(1, model.shape, 4)
    cosine = torch.cosine_similarity(a.flatten(), b.flatten(), dim=0)
    # Halfway on the great circle: the sum of the ends, each weighted by 1 / (2 cos(angle / 2)).
    middle = (a + b) / (2 * ((1 + cosine) / 2).sqrt())
    rows = [torch.cat([a, middle, b]), torch.cat([a, (a + b) / 2, b])]
    images = [model.generate(row, **({"seed": 3, **options} if options else {})) for row in rows]
    found = pixels(drawing.interpolation(shelf, name, (3, 4), 3, options)).astype(int)
    wanted = pixels(labelled_rows(images, ["slerp", "lerp"], scale=2)).astype(int)
    assert found.shape == wanted.shape
    assert abs(found - wanted).max() <= 1  # rounding
    assert (images[0][1] != images[1][1]).any()


def test_digits_are_the_samples_of_the_model_by_row(shelf: Shelf) -> None:
    name, options = "diffusion/context-unet-0", {"steps": 2, "w": 1.0}
    images = shelf.open(name).sample([3, 3, 7, 7], seed=2, **options)
    wanted = labelled_rows([images[:2], images[2:]], ["3", "7"], scale=2)
    found = drawing.digits(shelf, name, [7, 3, 7], 2, 2, options)
    np.testing.assert_array_equal(pixels(found), pixels(wanted))


def test_every_step_is_told(shelf: Shelf) -> None:
    steps: list[tuple[int, int]] = []
    drawing.faces(shelf, "ddim/unet-0", 64, 0, options={"steps": 3, "eta": 0}, told=lambda *step: steps.append(step))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    steps.clear()
    options = {"steps": 2, "w": 2}
    drawing.digits(shelf, "diffusion/context-unet-0", range(10), 10, 0, options, lambda *step: steps.append(step))
    assert steps == [(1, 2), (2, 2)]


def test_numbers_out_of_range_are_named(shelf: Shelf) -> None:
    for count in (0, 65, 2.5, None):
        with pytest.raises(UserError, match=f"the number of images is {count}; give a whole number from 1 to 64"):
            drawing.faces(shelf, "gan/sngan-0", count, 0)  # type: ignore[arg-type]
    for seed in (-1, None, 2**60):
        with pytest.raises(UserError, match=f"the seed is {seed}; give"):
            drawing.faces(shelf, "gan/sngan-0", 1, seed)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="number of images is 17; give a whole number from 2 to 16"):
        drawing.interpolation(shelf, "gan/sngan-0", (0, 1), 17)
    with pytest.raises(UserError, match="no digit is chosen"):
        drawing.digits(shelf, "diffusion/context-unet-0", [], 1, 0, {"steps": 2, "w": 0})
    with pytest.raises(UserError, match="steps is 5000; give 1 to 400"):
        drawing.digits(shelf, "diffusion/context-unet-0", [1], 1, 0, {"steps": 5000, "w": 0})
