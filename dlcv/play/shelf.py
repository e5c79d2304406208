"""The trained models that the page offers: those that params.yaml declares and out/ has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcv.engine.weights import read_about
from dlcv.models.export import use_of
from dlcv.models.kinds import KINDS, Kind
from dlcv.models.load import opened
from dlcv.models.registry import problems
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError
from dlcv.runtime.summaries import OUT

if TYPE_CHECKING:
    from dlcv.models.load import Model


def draws_faces(kind: Kind) -> bool:
    """Whether it draws images without a class."""
    return bool(kind.columns) and "digit" not in kind.columns


def draws_digits(kind: Kind) -> bool:
    """Whether it draws images of a class."""
    return "digit" in kind.columns


@dataclass(frozen=True)
class Option:
    """A number that a model's `sample` takes.

    Attributes:
        label: its name.
        about: what it does.
        low, high: its range, inclusive.
        step: of a slider.
        value: that of the study.
    """

    label: str
    about: str
    low: float
    high: float
    step: float
    value: float


# Label, meaning, range and step of each option; the highest number of steps is that of the training.
RANGES = {
    "steps": ("steps", "evaluations of the network for an image", 1, 1000, 1),
    "eta": ("η", "0 adds no noise, 1 as much as DDPM", 0, 1, 0.05),
    "w": ("guidance scale", "0 for none", 0, 10, 0.5),
}


def name_of(folder: Path) -> str:
    """ "gan/sngan-0" of "out/gan/sngan-0"."""
    return folder.relative_to(OUT).as_posix()


def area_of(folder: Path) -> str:
    """ "gan" of "out/gan/sngan-0"."""
    return folder.relative_to(OUT).parts[0]


def has_weights(folder: Path) -> bool:
    """Whether a training has ended there; whether its weights are whole is found when they are opened."""
    return all((folder / name).is_file() for name in ("weights.json", "weights.safetensors"))


class Shelf:
    """Opens each training once, and again if it was trained again."""

    def __init__(self, params: Params):
        self.params = params
        self._opened: dict[str, tuple[str, Model]] = {}

    def folders(self, does: Callable[[Kind], bool]) -> list[Path]:
        """The declared trainings of the kinds of which `does` is true, in the order of params.yaml."""
        declared = [folder for each in problems(self.params).values() for folder in each]
        return [folder for folder in declared if does(KINDS[area_of(folder)])]

    def names(self, does: Callable[[Kind], bool]) -> list[str]:
        """The names of those that have weights: "gan/sngan-0"."""
        return [name_of(folder) for folder in self.folders(does) if has_weights(folder)]

    def open(self, name: str) -> Any:
        """The model of a training.

        Raises:
            UserError: weights are missing or damaged.
        """
        folder = OUT / name
        about = read_about(folder)
        digest, model = self._opened.get(name, ("", None))
        if model is None or digest != about["sha256"]:
            model = opened(folder, {"kind": about["area"], **use_of(about, self.params)})
            self._opened[name] = (about["sha256"], model)
        return model

    def options(self, name: str) -> dict[str, Option]:
        """The options of the model's `sample`, by name; none for a model that has no sampler.

        Raises:
            UserError: weights are missing.
        """
        about = read_about(OUT / name)
        used: dict[str, float] = use_of(about, self.params)["options"]
        found = {key: Option(*RANGES[key], value) for key, value in used.items()}
        if "steps" in found:
            found["steps"] = replace(found["steps"], high=about["schedule"]["timesteps"])
        return found


def checked(values: Mapping[str, float], options: Mapping[str, Option]) -> dict[str, float]:
    """Those of `values` that a model takes, whole numbers where its steps are whole.

    Raises:
        UserError: a value is missing or out of its range.
    """
    found = {}
    for key, option in options.items():
        value = values.get(key)
        if value is None or not option.low <= value <= option.high:
            raise UserError(f"{key} is {value}; give {option.low:g} to {option.high:g}")
        found[key] = int(value) if option.step == 1 else float(value)
    return found


def gaps(folders: Iterable[Path]) -> list[str]:
    """A line for each area of `folders` that lacks weights: which, and what writes them. Markdown."""
    missing: dict[str, list[str]] = {}
    for folder in folders:
        if not has_weights(folder):
            missing.setdefault(area_of(folder), []).append(name_of(folder))
    return [
        f"No weights of {', '.join(names)}: `dvc repro stages/{area}/dvc.yaml` trains what is missing."
        for area, names in missing.items()
    ]
