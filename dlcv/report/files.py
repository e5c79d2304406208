"""The files that the report reads: scores, the JSON beside weights, and lists of figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dlcv.runtime import summaries
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json
from dlcv.runtime.summaries import METRICS, OUT


def read(path: Path) -> Any:
    """A JSON file that params.yaml implies.

    Raises:
        UserError: it is missing or is not JSON.
    """
    try:
        return read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `dvc repro` makes it, `dvc pull` fetches it") from None
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}); `dvc repro -f` makes it anew") from None


def summary(folder: str) -> Any:
    """The JSON `out/FOLDER/summary.json`.

    Raises:
        UserError: it is missing.
    """
    return read(OUT / folder / summaries.FILE)


def evaluations(area: str, names: Iterable[str]) -> dict[str, Any]:
    """The summary of each evaluation of an area.

    Raises:
        UserError: one of them is missing, or `metrics/AREA` has another name: a leftover of something that params.yaml
            no longer has.
    """
    for path in sorted((METRICS / area).iterdir()) if (METRICS / area).is_dir() else ():
        if path.name not in names:
            raise UserError(f"{path} belongs to nothing in params.yaml; remove it, or restore what made it")
    return {name: summary(f"{area}/{name}-evaluation") for name in names}


def details(area: str, names: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """The JSON `scores.json` of each training, by its name; `names` are those of each model.

    Raises:
        UserError: one is missing.
    """
    return {name: read(OUT / area / f"{name}-evaluation" / "scores.json") for each in names.values() for name in each}


def trainings(area: str, scored: Any) -> dict[str, dict[str, Any]]:
    """The JSON beside the weights of each training that the scores of an area name, by the training's name.

    Raises:
        UserError: one is missing.
    """
    return {name: read(OUT / area / name / "weights.json") for name in dict.fromkeys(_names(scored))}


def _names(value: Any) -> Iterator[str]:
    """The trainings under the keys `training` and `trainings`, at any depth; there may be repeats."""
    if isinstance(value, dict):
        for one in [value.get("training"), *value.get("trainings", [])]:
            if isinstance(one, dict) and "fingerprint" in one:  # the VAE has scores of training images
                yield one["name"]
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _names(part)


def figures(area: str, *folders: str) -> list[dict[str, Any]]:
    """The figures of some folders in `out/AREA/`, as their figures.json list them: `link`, `caption`, `of`.

    `path` is the file, and `live` the JSON beside it with what makes the figure live, or None.

    Raises:
        UserError: a list is missing.
    """
    listings = {OUT / area / folder: read(OUT / area / folder / "figures.json") for folder in folders}
    return [
        {
            "link": link(folder / figure["file"]),
            "path": folder / figure["file"],
            "caption": figure["caption"],
            "of": listing["of"],
            "live": optional((folder / figure["file"]).with_suffix(".json")),
        }
        for folder, listing in listings.items()
        for figure in listing["figures"]
    ]


def optional(path: Path) -> Any:
    """A JSON file, or None if it does not exist."""
    return read(path) if path.is_file() else None


def prints(area: str, *folders: str) -> dict[str, Any]:
    """The printed networks of some folders in `out/AREA/`: by title their parts, each with `parameters` and `text`."""
    found = [optional(OUT / area / folder / "architecture.json") or {} for folder in folders]
    return {title: parts for each in found for title, parts in each.items()}


def link(path: Path) -> str:
    """A link from the report's folder to `path`."""
    return f"../{path.as_posix()}"
