"""`dlcv evaluate`: parses arguments, refuses what is wrong, and calls the stage or the scores."""

from __future__ import annotations

import json
from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcv.runtime.config import PATH, load, read_yaml
from dlcv.runtime.errors import UserError, expect
from dlcv.runtime.files import write_json

if TYPE_CHECKING:
    from dlcv.evaluation.config import Evaluation
    from dlcv.evaluation.extractors.extractor import Extractor

app = typer.Typer(no_args_is_help=True, help="Score generated images against real ones.")

# Outside a study there is no params.yaml to say; these are what the project ships.
OUTSIDE = {
    "extractor": "efficientnet_lite0",
    "inception_weights": None,
    "images": 1000,
    "neighbours": 5,
    "kid_subsets": 50,
    "kid_subset_size": 200,
    "jackknife_groups": 10,
}


@app.command()
def reference(name: Annotated[str, typer.Argument(help="a prepared set: faces, or digits/mnistm")]) -> None:
    """Compute the features of a set's real images, and score real images and noise against them."""
    params = load()
    from dlcv.evaluation.inputs import check

    check(name, params)  # what is missing is said before torch is imported
    from dlcv.evaluation.bounds import run

    print(run(name, params))


@app.command()
def judge() -> None:
    """Train the judge of digits on real images, and ask it about others."""
    params = load()
    from dlcv.evaluation.judge.task import judge_provenance

    judge_provenance(params)  # what is missing is said before torch is imported
    from dlcv.evaluation.judge.train import run

    print(run(params))


@app.command()
def images(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="PNG files to score")],
    reference: Annotated[Path, typer.Option(help="folder of real PNG files, or a reference in out/evaluation")],
    validation: Annotated[Path | None, typer.Option(help="folder of other real PNG files, to see memorising")] = None,
    count: Annotated[int | None, typer.Option(min=4, help="score the first so many; all if not given")] = None,
    extractor: Annotated[str | None, typer.Option(help="efficientnet_lite0 or inception, which gives FID")] = None,
    inception_weights: Annotated[
        Path | None, typer.Option(help="pytorch-fid's weights file; downloaded if not given")
    ] = None,
    faces: Annotated[bool, typer.Option(help="count the images that show a face")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON with the protocol, not a table")] = False,
    out: Annotated[Path | None, typer.Option(help="also write the JSON to this file")] = None,
) -> None:
    """Every score of one folder of images against another; what is not given is as in params.yaml."""
    seed, section = _settings(extractor, inception_weights)
    from dlcv.evaluation.extractors.names import weights_file
    from dlcv.evaluation.face_detector import check_detector
    from dlcv.evaluation.folder import read_images

    weights_file(section)
    if faces:
        check_detector()
    images = read_images(folder, count)
    section = section.model_copy(update={"images": count or len(images)})
    from dlcv.evaluation.reference import describe, load_reference, of_images
    from dlcv.evaluation.scores import check_counts, protocol, score

    check_counts(section, section.images)
    if (reference / "reference.json").is_file():
        if validation is not None:
            raise UserError(f"{reference} has validation images of its own; leave --validation out")
        real = load_reference(reference)
        _check_count(count, reference, real.validation)
        network = _load(section)
    else:
        training = read_images(reference, section.neighbours + 1)
        others = None if validation is None else read_images(validation)
        _check_count(count, validation, others)
        network = _load(section)
        real = of_images(str(reference), training, others, network, progress=True)
    scores = score(images, real, section, seed, network, faces, progress=True)
    about = protocol(real, section, seed, network, faces)
    result = {"images": {"folder": str(folder), **describe(images)}, "scores": scores, "protocol": about}
    if out is not None:
        write_json(out, result)
    print(json.dumps(result, indent=2, ensure_ascii=False) if as_json else _table(result))


@app.command()
def mse(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="PNG files")],
    reference: Annotated[Path, typer.Option(help="folder of PNG files of the same names")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, not a table")] = False,
) -> None:
    """The mean squared error of each image to the one of the same name, on 0..255, and that of all."""
    from dlcv.evaluation.mse import compare

    errors = compare(folder, reference)
    overall = sum(errors.values()) / len(errors)
    if as_json:
        print(json.dumps({"images": errors, "overall": overall}, indent=2, ensure_ascii=False))
        return
    width = max(len("overall"), *map(len, errors))
    for name, value in [*errors.items(), ("overall", overall)]:
        print(f"{name:{width}}  {value:10.4f}")


def _check_count(count: int | None, folder: Path | None, validation: Sized | None) -> None:
    """Refuse to score more images than there are to validate with, which would quietly score fewer."""
    if count is not None and validation is not None and count > len(validation):
        raise UserError(f"--count {count}, but {folder} has {len(validation)} validation images; ask for no more")


def _load(section: Evaluation) -> Extractor:
    from dlcv.evaluation.extractors.extractor import load_extractor  # imports torch

    return load_extractor(section)


def _settings(extractor: str | None, inception_weights: Path | None) -> tuple[int, Evaluation]:
    """Seed and section of params.yaml where there is one, with what the options say instead."""
    from dlcv.evaluation.config import Evaluation
    from dlcv.evaluation.extractors.names import SCORES

    if PATH.is_file() and "evaluation" in read_yaml(PATH):
        params = load()
        seed, section = params.seed, params[Evaluation]
    else:
        seed, section = 0, Evaluation.model_validate(OUTSIDE)
    if extractor is not None:
        expect("extractor", extractor, SCORES)
        section = section.model_copy(update={"extractor": extractor})
    if inception_weights is not None:
        if section.extractor != "inception":
            raise UserError(f"--inception-weights are none of {section.extractor}'s; add --extractor inception")
        section = section.model_copy(update={"inception_weights": str(inception_weights)})
    return seed, section


def _table(result: dict[str, Any]) -> str:
    """The scores in aligned columns: name, value, interval or deviation."""
    protocol = result["protocol"]
    lines = [
        f"{protocol['images']} of {result['images']['count']} images against "
        f"{protocol['reference']['training']['count']} real ones ({protocol['extractor']['name']})"
    ]
    width = max(map(len, result["scores"]))
    for name, entry in result["scores"].items():
        value, note = (entry["value"], _note(entry)) if isinstance(entry, dict) else (entry, "")
        lines.append(f"{name:{width}}  {value:10.4f}  {note}".rstrip())
    return "\n".join(lines)


def _note(entry: dict[str, Any]) -> str:
    if "interval" in entry:
        return f"{entry['interval']['low']:.4f} to {entry['interval']['high']:.4f}"
    return f"± {entry['standard_deviation']:.4f} over {entry['subsets']} subsets of {entry['subset_size']}"
