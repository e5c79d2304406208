"""`dlcv ddim sample --noise`: faces from files of noise, one image for each file.

Light to import: names and folders are checked before torch is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlcv.diffusion.config import FaceSampling
from dlcv.runtime.errors import UserError, expect_empty

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".pt", ".npy")
Scale = Literal["clip", "minmax"]  # to bytes: clip values to [-1, 1], or stretch each image to its own range


def draw(noise: Path, out: Path, weights: Path, sampling: FaceSampling, scale: Scale, seed: int) -> Path:
    """Write a PNG of the same name for each noise file in the folder `noise` to the new or empty folder `out`.

    Args:
        weights: folder of a trained noise predictor.
        seed: of the noise that DDIM adds where eta is above 0.

    Raises:
        UserError: noise that cannot be read, no weights, or a folder that is not empty.
    """
    expect_empty(out)
    files = list_files(noise)

    from dlcv.data.batches import to_uint8
    from dlcv.data.latents import seeds_of
    from dlcv.diffusion.faces import generate, load_model, shape_of
    from dlcv.figures.grids import save

    model = load_model(weights)
    loaded = read(files, shape_of(model))
    images = generate(model, loaded, seeds_of([file.stem for file in files], seed), sampling)
    if scale == "minmax":
        images = stretched(images)
    save(out, to_uint8(images).numpy(), [file.stem for file in files])
    return out


def stretched(images: Tensor) -> Tensor:
    """Each image, N x 3 x H x W, scaled linearly to the range [-1, 1]; a constant image becomes -1."""
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    return 2 * (images - low) / (high - low).clamp(min=1e-6) - 1


def list_files(folder: Path) -> list[Path]:
    """The noise files of a folder in the order of their names, without reading them; hidden files are ignored.

    Raises:
        UserError: no such folder, no noise files in it, other files, or two files with the same stem.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give one with noise files, .pt or .npy")
    files: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.is_dir() or file.name.startswith("."):
            continue
        if file.suffix not in SUFFIXES:
            raise UserError(f"{file} is no noise file (.pt or .npy); remove it from the folder")
        if file.stem in files:
            raise UserError(f"{file} and {files[file.stem].name} would make the same image; remove one of them")
        files[file.stem] = file
    if not files:
        raise UserError(f"{folder} holds no noise files; give a folder with .pt or .npy files")
    return list(files.values())


def read(files: Sequence[Path], shape: tuple[int, int, int]) -> Tensor:
    """The noise in files, float32 N x `shape`; each file holds one array of this shape, or 1 x `shape`.

    Raises:
        UserError: a file that cannot be read, or that holds something else.
    """
    import torch

    return torch.stack([_read(file, shape) for file in files])


def _read(file: Path, shape: tuple[int, int, int]) -> Tensor:
    import numpy as np
    import torch

    try:
        if file.suffix == ".npy":
            loaded = torch.from_numpy(np.load(file, allow_pickle=False))
        else:
            # Only tensors are unpickled: other objects could run code.
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged file NumPy and torch raise many, down to a SyntaxError of its header
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{file} cannot be read as a tensor ({reason}); save one with torch.save or np.save") from None
    if not isinstance(loaded, torch.Tensor) or not loaded.is_floating_point():
        what = f"a tensor of {loaded.dtype}" if isinstance(loaded, torch.Tensor) else f"a {type(loaded).__name__}"
        raise UserError(f"{file} holds {what}; noise is a tensor of floating-point numbers")
    if tuple(loaded.shape) not in (shape, (1, *shape)):
        found = " x ".join(map(str, loaded.shape)) or "one number"
        raise UserError(f"{file} holds {found}; the network takes {' x '.join(map(str, shape))}")
    if not loaded.isfinite().all():
        raise UserError(f"{file} holds values that are not finite; draw it again")
    return loaded.reshape(shape).float()
