"""Noise to start from: drawn from a seed, or read from files. Light to import; torch only where noise is made."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlcv.ddim.sections import SIZE
from dlcv.runtime.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".pt", ".npy")


def draw(count: int, seed: int) -> Tensor:
    """Standard normal noise, count x 3 x 64 x 64; the first n of a seed are the same for every count."""
    import torch

    # Row by row, so that none depends on how many are asked for.
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randn(3, SIZE, SIZE, generator=generator) for _ in range(count)])


def seeds_of(names: Sequence[str], seed: int) -> list[int]:
    """The seed of each image's own fresh noise (eta above 0), by its name: the same whatever is drawn beside it."""
    # 32 bits: torch's generator on the CPU reads no more of its seed.
    return [zlib.crc32(f"{seed}/{name}".encode()) for name in names]


def list_files(folder: Path) -> list[Path]:
    """The noise files of a folder in the order of their names, none of which is opened; hidden files are passed over.

    Raises:
        UserError: no folder, no noise in it, what is no noise, or two files that would make the same image.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give one with noise files, .pt or .npy")
    files: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.is_dir() or file.name.startswith("."):
            continue
        if file.suffix not in SUFFIXES:
            raise UserError(f"{file} is no noise file; .pt and .npy are read, take it out")
        if file.stem in files:
            raise UserError(f"{file} and {files[file.stem].name} would make the same image; take one of them out")
        files[file.stem] = file
    if not files:
        raise UserError(f"{folder} holds no noise files; give a folder with .pt or .npy files")
    return list(files.values())


def read(files: Sequence[Path]) -> Tensor:
    """The noise in files, float32 N x 3 x 64 x 64; each holds one array, 3 x 64 x 64 or 1 x 3 x 64 x 64.

    Raises:
        UserError: a file that cannot be read, or holds anything else.
    """
    import torch

    return torch.stack([_read(file) for file in files])


def _read(file: Path) -> Tensor:
    import numpy as np
    import torch

    try:
        if file.suffix == ".npy":
            loaded = torch.from_numpy(np.load(file, allow_pickle=False))
        else:
            # Nothing else in the file is unpickled: it may come from anywhere.
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, TypeError, EOFError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{file} cannot be read as a tensor ({reason}); save one with torch.save or np.save") from None
    if not isinstance(loaded, torch.Tensor) or not loaded.is_floating_point():
        what = f"a tensor of {loaded.dtype}" if isinstance(loaded, torch.Tensor) else f"a {type(loaded).__name__}"
        raise UserError(f"{file} holds {what}; noise is a tensor of floating-point numbers")
    shape = tuple(loaded.shape)
    if shape not in ((3, SIZE, SIZE), (1, 3, SIZE, SIZE)):
        raise UserError(
            f"{file} holds {' x '.join(map(str, shape)) or 'one number'}; the network takes 3 x {SIZE} x {SIZE}"
        )
    if not loaded.isfinite().all():
        raise UserError(f"{file} holds values that are not finite; draw it again")
    return loaded.reshape(3, SIZE, SIZE).float()
