"""Open an exported folder: `from dlcv import load; model = load(DIR)`. Needs no repository and no params.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcv.models.kinds import KINDS
from dlcv.runtime.errors import UserError, nearest
from dlcv.runtime.files import read_json

if TYPE_CHECKING:
    from dlcv.models.digits import DigitDiffusion, DigitReader
    from dlcv.models.faces import FaceDDIM, FaceGAN, FaceVAE

    Model = FaceGAN | FaceVAE | FaceDDIM | DigitDiffusion | DigitReader

USE = "model.json"  # how the model is used; `weights.json` beside it says how it was trained


def load(folder: str | Path) -> Model:
    """The model in a folder that `dlcv export` wrote, in eval mode and on the GPU if there is one.

    Returns:
        - of `gan`: `FaceGAN` with `sample`, `generate`
        - of `vae`: `FaceVAE` with `sample`, `encode`, `decode`
        - of `ddim`: `FaceDDIM` with `sample`, `generate`
        - of `diffusion`: `DigitDiffusion` with `sample`
        - of `adaptation` and the judge: `DigitReader` with `predict`, `probabilities`

        Their docstrings and the folder's README.md have shapes and ranges.

    Raises:
        UserError: not an exported folder, a file of it is missing or changed, or a kind that this version lacks.
    """
    folder = Path(folder)
    return opened(folder, read_use(folder))


def opened(folder: Path, use: Mapping[str, Any]) -> Model:
    """The model of the weights in `folder`; `use` has the values of `model.json`, which may be missing there.

    Raises:
        UserError: a file of the weights is missing or changed.
    """
    module, name = KINDS[use["kind"]].opener.split(":")
    model: Model = getattr(import_module(module), name)(folder, use)
    return model


def read_use(folder: Path) -> Mapping[str, Any]:
    """The values of `model.json` in an exported folder; errors as of `load`."""
    try:
        use: Mapping[str, Any] = read_json(folder / USE)
        kind = use["kind"]
    except FileNotFoundError:
        raise UserError(f"{folder} has no {USE}; `dlcv export MODEL DIR` writes a folder that opens") from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(f"{folder / USE} does not describe a model ({error}); export it again") from None
    if kind not in KINDS:
        raise UserError(f"{folder} holds a model of the kind {kind}{nearest(kind, KINDS)}; install a newer dlcv")
    return use
