"""`dlcv adaptation predict`: the digits in a folder of images, by trained weights alone."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from dlcv.adaptation.config import Methods
from dlcv.adaptation.rows import METRICS
from dlcv.adaptation.tasks import OUT, SIZE
from dlcv.adaptation.trained import answer, load
from dlcv.data.images import SUFFIXES, decode, is_image
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, replacing

AT_ONCE = 1000  # images in memory


def run(folder: Path, scenario: str, weights: Path, out: Path) -> Path:
    """Write `image_name,label` of every image in `folder` to the table `out`, in the order of names.

    Sub-folders are not searched; hidden files, and tables and notes beside the images, are passed over.

    Args:
        scenario: which the weights have to be of.
        weights: folder of a training.

    Raises:
        UserError: no weights of the scenario; no folder, no images in it, or one that cannot be read. `out` is then
            as it was.
    """
    files = list_images(folder)
    refuse_folder(out)
    network, about = load(weights)
    if about["task"] != scenario:
        raise UserError(f"{weights} holds weights of {about['task']}, not of {scenario}; name others by --weights")
    with replacing(out) as temporary, open(temporary, "w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["image_name", "label"])
        for start in range(0, len(files), AT_ONCE):
            part = files[start : start + AT_ONCE]
            images = np.stack([decode(read(file), str(file), SIZE, crop=False) for file in part])
            digits = answer(network, images).digits
            writer.writerows((file.name, int(digit)) for file, digit in zip(part, digits, strict=True))
    return out


def chosen_weights(scenario: str) -> Path:
    """The folder of that adapted training of `scenario` which the validator finds best, without target labels.

    Raises:
        UserError: the scenario has not been evaluated.
    """
    path = METRICS / f"{scenario}.json"
    if not path.is_file():
        raise UserError(f"{path} is missing, which says what training is best; `dvc repro` makes it, or give --method")
    choice = read_json(path)["choice"]
    signs: dict[str, dict[str, float]] = choice["candidates"]
    folders = tuple(f"{scenario}/{method}-" for method in Methods.model_fields)
    adapted = [name for name in signs if name.startswith(folders)]
    return OUT / max(adapted, key=lambda name: signs[name][choice["criterion"]])


def list_images(folder: Path) -> list[Path]:
    """The images of `folder` by name, none of which is opened.

    Raises:
        UserError: no such folder, no image in it, or a file that is no image.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give one with images of digits")
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot list {folder} ({error.strerror}); mend its permissions") from None
    files = []
    for file in found:
        if file.is_dir() or file.name.startswith(".") or file.suffix.lower() in (".csv", ".json", ".md", ".txt"):
            continue
        if not is_image(file.name):
            raise UserError(f"{file} is no image ({', '.join(SUFFIXES)}); take it out or convert it")
        files.append(file)
    if not files:
        raise UserError(f"{folder} holds no images; give the folder that has them directly inside")
    return files


def refuse_folder(out: Path) -> None:
    """Refuse to write a table where a folder is."""
    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file for the table, such as {out / 'predictions.csv'}")


def read(file: Path) -> bytes:
    """The bytes of a file.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file} ({error.strerror}); mend its permissions or take it out") from None
