"""A digit, drawn or from a file, and what every classifier reads in it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image, ImageColor

from dlcv.adaptation.config import METHODS, SIZE, Adaptation
from dlcv.adaptation.evaluate import rows_of
from dlcv.data.images import decode, open_rgb
from dlcv.evaluation.config import Judge, judge_folder
from dlcv.play.drawing import within
from dlcv.play.shelf import Shelf, has_weights, name_of
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError

TEMPLATES = Path(__file__).parent / "templates"


def from_drawing(coverage: np.ndarray, ink: str, paper: str, size: int) -> np.ndarray:
    """A drawn digit as classifiers take it: its box centred, uint8 28 x 28 x 3.

    Args:
        coverage: of each pixel with ink, uint8 H x W, 0 for none.
        ink, paper: CSS colours.
        size: of the longer side of the box, 4 to 28 pixels; 20 as in MNIST, 28 as in USPS.

    Raises:
        UserError: nothing is drawn, or no colour or size.
    """
    size = within("size of the digit", size, 4, SIZE)
    mask = Image.fromarray(coverage)
    box = mask.getbbox()
    if box is None:
        raise UserError("nothing is drawn; draw a digit")
    mask = mask.crop(box)
    scale = size / max(mask.size)
    width, height = (max(1, round(side * scale)) for side in mask.size)
    # Pillow widens the filter when it reduces, so a stroke does not vanish between two pixels.
    mask = mask.resize((width, height), Image.Resampling.BICUBIC)
    image = Image.new("RGB", (SIZE, SIZE), _colour(paper))
    image.paste(_colour(ink), ((SIZE - width) // 2, (SIZE - height) // 2), mask)
    return np.asarray(image)


def coverage_of(url: str) -> np.ndarray:
    """How much ink each pixel has, uint8 H x W, of black strokes on a transparent PNG, given as a data URL.

    Raises:
        UserError: no such image.
    """
    try:
        data = base64.b64decode(url.partition(",")[2], validate=True)
    except ValueError:
        data = b""
    return 255 - np.asarray(open_rgb(data, "the drawing").convert("L"))


def from_file(path: Path) -> np.ndarray:
    """An image file as classifiers take it, stretched to uint8 28 x 28 x 3; errors as of `decode`."""
    return decode(path.read_bytes(), path.name, SIZE, crop=False)


def _colour(text: str) -> tuple[int, ...]:
    try:
        # A browser's colour picker may write rgba(255.0, 12.5, 0.0, 1).
        if text.startswith("rgba("):
            return tuple(round(float(part)) for part in text[5:-1].split(",")[:3])
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise UserError(f"{text} is no colour; give one such as #ffffff") from None


@dataclass(frozen=True)
class Reading:
    """What a classifier reads.

    Attributes:
        training: its name.
        probabilities: of the ten digits; None if it has no weights.
    """

    training: str
    probabilities: np.ndarray | None = None

    @property
    def digit(self) -> int:
        """The most probable digit."""
        assert self.probabilities is not None
        return int(self.probabilities.argmax())

    @property
    def probability(self) -> float:
        """Of `digit`, 0 to 1."""
        assert self.probabilities is not None
        return float(self.probabilities.max())


@dataclass(frozen=True)
class Table:
    """What everybody reads.

    Attributes:
        scenarios: the columns: "usps-mnistm".
        rows: by method, and its seed where there are several: by scenario, if the method is trained on it.
        judges: by name.
    """

    scenarios: list[str]
    rows: dict[str, dict[str, Reading]]
    judges: dict[str, Reading]

    def html(self) -> str:
        """The table, self-contained."""
        environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True)
        return environment.get_template("readings.html").render(table=self)


def read(shelf: Shelf, image: np.ndarray) -> Table:
    """What every method of every scenario, and the judge, read in `image`, uint8 28 x 28 x 3.

    Raises:
        UserError: damaged weights.
    """
    known: dict[Path, Reading] = {}

    def reading(folder: Path) -> Reading:
        if folder not in known:  # a source-only training is in several scenarios
            name = name_of(folder)
            probabilities = shelf.open(name).probabilities(image[None])[0] if has_weights(folder) else None
            known[folder] = Reading(name, probabilities)
        return known[folder]

    rows: dict[str, dict[str, Reading]] = {}
    for label, scenario, folder in classifiers(shelf.params):
        rows.setdefault(label, {})[scenario] = reading(folder)
    judges = {label: reading(folder) for label, folder in judges_of(shelf.params)}
    return Table(list(shelf.params[Adaptation].scenarios), rows, judges)


def classifiers(params: Params) -> Iterator[tuple[str, str, Path]]:
    """Label, scenario and folder of every row of every scenario's table, in the order of `METHODS`. The label has the
    seed if there are several."""
    several = len(params[Adaptation].seeds) > 1
    tasks = [
        (task, scenario)
        for scenario in params[Adaptation].scenarios
        for row in rows_of(scenario, params).values()
        for task in row
    ]
    for task, scenario in sorted(tasks, key=lambda pair: list(METHODS).index(pair[0].method)):
        yield METHODS[task.method].label + (f", seed {task.seed}" if several else ""), scenario, task.folder


def judges_of(params: Params) -> list[tuple[str, Path]]:
    """Label and folder of every judge."""
    seeds = params[Judge].seeds
    return [(f"judge, seed {seed}" if len(seeds) > 1 else "judge", judge_folder(seed)) for seed in seeds]


def folders(params: Params) -> list[Path]:
    """The trainings of every classifier in the table, without repeats."""
    judges = [folder for _, folder in judges_of(params)]
    return list(dict.fromkeys([*judges, *(folder for *_, folder in classifiers(params))]))
