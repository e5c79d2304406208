"""Images from generative models, as one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dlcv.data.latents import lerp, normal, slerp
from dlcv.diffusion.samplers import Watch
from dlcv.figures.grids import grid, labelled_rows
from dlcv.play.shelf import Shelf, checked
from dlcv.runtime.errors import UserError

Told = Callable[[int, int], None]
"""Called with the number of steps that are done, and of all."""

MOST = 64  # images of a picture: one batch of every sampler
SAMPLES = 500  # images that directions are found in
PATHS = {"slerp": slerp, "lerp": lerp}


def faces(
    shelf: Shelf,
    name: str,
    count: int,
    seed: int,
    shifts: Sequence[float] = (),
    options: Mapping[str, float] | None = None,
    told: Told | None = None,
) -> Image.Image:
    """A grid of `count` faces of the model `name`.

    Args:
        count: 1 to 64.
        seed: of the latents.
        shifts: along `directions`, in standard deviations of a latent.
        options: of the model's `sample`; others are ignored.

    Raises:
        UserError: a number out of its range; missing or damaged weights.
    """
    model = shelf.open(name)
    latents = normal(within("number of images", count, 1, MOST), model.shape, checked_seed(seed))
    if any(shifts):
        latents = latents + torch.tensor(shifts, dtype=torch.float32) @ directions(model, len(shifts))
    return grid(_generate(shelf, name, latents, seed, options, told), columns=8, scale=2)


def interpolation(
    shelf: Shelf,
    name: str,
    seeds: tuple[int, int],
    count: int,
    options: Mapping[str, float] | None = None,
    told: Told | None = None,
) -> Image.Image:
    """Two rows of `count` faces, 2 to 16, from the latent of one seed to that of another, along the great circle and
    along the straight line; arguments and errors as of `faces`."""
    model = shelf.open(name)
    first, last = (normal(1, model.shape, checked_seed(seed)) for seed in seeds)
    alphas = np.linspace(0, 1, within("number of images", count, 2, MOST // 4))
    latents = torch.cat([path(first, last, float(alpha)) for path in PATHS.values() for alpha in alphas])
    images = _generate(shelf, name, latents, seeds[0], options, told)
    return labelled_rows(np.split(images, len(PATHS)), list(PATHS), scale=2)


def digits(
    shelf: Shelf,
    name: str,
    classes: Iterable[int],
    count: int,
    seed: int,
    options: Mapping[str, float] | None = None,
    told: Told | None = None,
) -> Image.Image:
    """A row of `count` images, 1 to 10, for each of the different `classes`, 0 to 9; the rest is as in `faces`."""
    rows = sorted(set(classes))
    if not rows:
        raise UserError("no digit is chosen; choose one or more")
    within("number of images", count, 1, 10)
    wanted = [digit for digit in rows for _ in range(count)]
    own = checked(options or {}, shelf.options(name))
    images = shelf.open(name).sample(wanted, checked_seed(seed), watch=_watch(told, own), **own)
    return labelled_rows(np.split(images, len(rows)), [str(digit) for digit in rows], scale=2)


def directions(model: Any, count: int) -> Tensor:
    """Unit latents, `count` x D, along which the images of a model with latents of D dimensions change most.

    The k-th is the mean gradient of the k-th principal component of the images. By Stein's lemma, for standard normal
    latents this is the mean of the component times the latent.
    """
    latents = normal(SAMPLES, model.shape, 0)
    images = torch.from_numpy(model.generate(latents)).flatten(1).float()
    images -= images.mean(0)
    components = torch.linalg.eigh(images @ images.T).eigenvectors[:, -count:].flip(1)  # from the largest
    return torch.nn.functional.normalize(components.T @ latents, dim=1)


def within(what: str, value: float | None, low: int, high: int) -> int:
    """`value` if it is a whole number from `low` to `high`.

    Raises:
        UserError: it is not.
    """
    if value is None or value != int(value) or not low <= value <= high:
        raise UserError(f"the {what} is {value}; give a whole number from {low} to {high}")
    return int(value)


def checked_seed(seed: int | None) -> int:
    """`seed` if torch's generators take it; errors as of `within`."""
    return within("seed", seed, 0, 2**53)  # above it, a browser has no whole numbers


def _generate(
    shelf: Shelf, name: str, latents: Tensor, seed: int, options: Mapping[str, float] | None, told: Told | None
) -> np.ndarray:
    """Images of latents, by the options of a model that has a sampler."""
    own, model = checked(options or {}, shelf.options(name)), shelf.open(name)
    images: np.ndarray = (
        model.generate(latents, seed, watch=_watch(told, own), **own) if own else model.generate(latents)
    )
    return images


def _watch(told: Told | None, options: Mapping[str, float]) -> Watch | None:
    if told is None:
        return None
    done, of_all = 0, int(options["steps"])

    def after_step(*_: object) -> None:
        nonlocal done
        done += 1
        told(done, of_all)

    return after_step
