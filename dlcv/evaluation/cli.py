"""`dlcv evaluate`: parses arguments, checks the inputs before torch is imported, and calls the stages or the scores."""

from __future__ import annotations

import json
import sys
from collections.abc import Sized
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcv.data.config import DOMAINS
from dlcv.evaluation.extractors.names import SCORES
from dlcv.runtime.config import PATH, load, load_for, read_yaml
from dlcv.runtime.errors import UserError, expect, expect_empty
from dlcv.runtime.files import replacing, write_json
from dlcv.runtime.options import example, seed_option

if TYPE_CHECKING:
    from dlcv.evaluation.config import Evaluation

app = typer.Typer(
    no_args_is_help=True,
    help="Score generated images against real ones.",
    epilog=example("evaluate images faces --reference out/evaluation/faces"),
)
judge_app = typer.Typer(
    no_args_is_help=True, help="The judge, a classifier of generated digits.", epilog=example("evaluate judge train")
)
app.add_typer(judge_app, name="judge")

PREPARED = ("faces", *(f"digits/{domain}" for domain in DOMAINS))
# The section `evaluation` outside a study, where there is no params.yaml; it equals what the project ships.
OUTSIDE = {
    "extractor": "efficientnet_lite0",
    "input_size": {"faces": 224, "digits": 112},
    "inception_weights": None,
    "images": 1000,
    "neighbours": 5,
    "kid_subsets": 50,
    "kid_subset_size": 200,
    "jackknife_groups": 10,
    "dlib_face_images": 6000,
}


@app.command(epilog=example("evaluate reference faces"))
def reference(name: Annotated[str, typer.Argument(help=f"a prepared set: {', '.join(PREPARED)}")]) -> None:
    """Compute the features of a set's real images, and score real images and noise against them."""
    params = load()
    from dlcv.data.config import Data
    from dlcv.data.prepared import read_card
    from dlcv.evaluation.config import DATA, Evaluation, has_faces
    from dlcv.evaluation.extractors.dlib_face import check_dlib_face
    from dlcv.evaluation.extractors.names import weights_file
    from dlcv.evaluation.face_detector import check_detector

    expect("set", name, ["faces", *(f"digits/{domain}" for domain in params[Data].domains)])
    read_card(DATA / name)
    weights_file(params[Evaluation])
    if has_faces(name):
        check_detector()
        if params[Evaluation].dlib_face_images:
            check_dlib_face()
    from dlcv.evaluation.bounds import run  # imports torch

    print(run(name, params))


@judge_app.command(epilog=example("evaluate judge train"))
def train(
    seed: Annotated[int | None, seed_option("the training", "judge.seeds")] = None,
) -> None:
    """Train the judge of digits on real images."""
    params = load()
    from dlcv.evaluation.config import Judge, judge_provenance

    params = params.for_seed(seed, params[Judge].seeds)
    judge_provenance(params)  # checks the prepared digits
    from dlcv.evaluation.judge.train import run  # imports torch

    print(run(params))


@judge_app.command("score", epilog=example("evaluate judge score"))
def score_judge() -> None:
    """Compute the accuracy of the judge, over all its trainings, on real validation images."""
    params = load()
    from dlcv.evaluation.judge.evaluate import run

    print(run(params))


@app.command(epilog=example("evaluate images faces --reference out/evaluation/faces --json"))
def images(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="folders of PNG files to score")],
    reference: Annotated[
        Path, typer.Option(help="folder of real PNG files, or a reference in out/evaluation or by --save-reference")
    ],
    validation: Annotated[Path | None, typer.Option(help="folder of other real PNG files, to detect copies")] = None,
    save_as: Annotated[
        Path | None,
        typer.Option("--save-reference", help="new folder for the features of the real images, for later --reference"),
    ] = None,
    count: Annotated[int | None, typer.Option(min=4, help="number of images to score, the first; default: all")] = None,
    extractor: Annotated[
        str | None, typer.Option(help=f"{', '.join(SCORES)}; with inception, the distance is FID")
    ] = None,
    inception_weights: Annotated[
        Path | None, typer.Option(help="pytorch-fid's weights file; default: download it")
    ] = None,
    input_size: Annotated[
        int | None,
        typer.Option(min=32, help="pixels to which efficientnet_lite0 gets images enlarged; default: that of faces"),
    ] = None,
    no_faces: Annotated[bool, typer.Option("--no-faces", help="no face score, and none in dlib's features")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON with the protocol instead of a table")] = False,
    out: Annotated[Path | None, typer.Option(help="also write the JSON to this file")] = None,
) -> None:
    """Compute all scores of folders of images against real ones; settings that are not given are from params.yaml."""
    faces = not no_faces
    if save_as is not None:
        if (reference / "reference.json").is_file():
            raise UserError(f"{reference} is a saved reference already; leave --save-reference out")
        if validation is None:
            raise UserError("--save-reference keeps the features of validation images, too; give them by --validation")
        expect_empty(save_as)
    seed, section = _settings(extractor, inception_weights)
    if input_size is not None and section.extractor == "inception":
        raise UserError("inception takes no --input-size: it has 299; leave it out")
    from dlcv.data.images import read_images
    from dlcv.evaluation.extractors.dlib_face import check_dlib_face, load_dlib_face
    from dlcv.evaluation.extractors.names import weights_file
    from dlcv.evaluation.face_detector import check_detector
    from dlcv.evaluation.reference import describe, load_reference, of_images, save_reference
    from dlcv.evaluation.scores import check_counts, protocol, score

    weights_file(section)
    if faces:
        check_detector()
        if section.dlib_face_images:
            check_dlib_face()
    scored = {folder: read_images(folder, count) for folder in folders}
    # The scores depend on the number of images, so it is the same for all folders.
    section = section.model_copy(update={"images": count or min(map(len, scored.values()))})
    check_counts(section, section.images)
    saved = load_reference(reference) if (reference / "reference.json").is_file() else None
    if saved is not None:
        if validation is not None:
            raise UserError(f"{reference} has validation images of its own; leave --validation out")
        _check_count(count, reference, saved.validation)
        if faces and section.dlib_face_images and saved.faces is None:
            print(f"dlcv: {reference} has no features of dlib's, so there are no scores in them", file=sys.stderr)
    else:
        training = read_images(reference, section.neighbours + 1)
        others = None if validation is None else read_images(validation)
        _check_count(count, validation, others)
    from dlcv.evaluation.extractors.extractor import load_extractor  # imports torch

    network = load_extractor(section, input_size or section.input_size.faces)
    real = saved or of_images(str(reference), training, others, network)
    if saved is None and faces and section.dlib_face_images:
        space = of_images(str(reference), training[: section.dlib_face_images], others, load_dlib_face())
        real = replace(real, faces=space)
    if save_as is not None:
        with replacing(save_as) as temporary:
            save_reference(temporary, real)
    about = protocol(real, section, seed, network, faces)
    results = [
        {
            "images": {"folder": str(folder), **describe(each)},
            "scores": score(each, real, section, seed, network, faces),
            "protocol": about,
        }
        for folder, each in scored.items()
    ]
    written = results if len(results) > 1 else results[0]
    if out is not None:
        write_json(out, written)
    print(json.dumps(written, indent=2, ensure_ascii=False) if as_json else _table(results))


@app.command(epilog=example("evaluate digits digits"))
def digits(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="PNG files whose names say their digit: 7_001.png")],
    judge: Annotated[Path | None, typer.Option(help="folder of a trained judge; default: that of the study")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Compute the share of the images that the judge reads as the digit in their names."""
    from dlcv.evaluation.config import Judge, judge_folder

    judge = judge or judge_folder(load_for(None, "--judge")[Judge].seeds[0])
    from dlcv.evaluation.judge.named import score, table

    scores = score(folder, judge)
    print(json.dumps(scores, indent=2) if as_json else table(scores))


@app.command(epilog=example("evaluate mse faces --reference GT"))
def mse(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="PNG files")],
    reference: Annotated[Path, typer.Option(help="folder of PNG files with the same names")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Compute the mean squared error, on 0..255, between images of the same name, and the mean over all images."""
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
    """Refuse a count above the number of validation images, because fewer images would be scored."""
    if count is not None and validation is not None and count > len(validation):
        raise UserError(f"--count {count}, but {folder} has {len(validation)} validation images; ask for no more")


def _settings(extractor: str | None, inception_weights: Path | None) -> tuple[int, Evaluation]:
    """Seed and section of params.yaml, if there is one, with the options applied."""
    from dlcv.evaluation.config import Evaluation

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
            raise UserError(f"{section.extractor} takes no --inception-weights; add --extractor inception")
        section = section.model_copy(update={"inception_weights": str(inception_weights)})
    return seed, section


def _table(results: list[dict[str, Any]]) -> str:
    """The scores in aligned columns: name, then the value for each folder with its interval or standard deviation."""
    protocol = results[0]["protocol"]
    counts = ", ".join(str(result["images"]["count"]) for result in results)
    lines = [
        f"{protocol['images']} of {counts} images against "
        f"{protocol['reference']['training']['count']} real ones ({protocol['extractor']['name']})"
    ]
    names = list(_flat(results[0]["scores"]))
    columns = [["", *names] if len(results) > 1 else names]
    for result in results:
        cells = [_cell(entry) for entry in _flat(result["scores"]).values()]
        columns.append([result["images"]["folder"], *cells] if len(results) > 1 else cells)
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True):
        lines.append("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return "\n".join(lines)


def _cell(entry: dict[str, Any] | float) -> str:
    value, note = (entry["value"], _note(entry)) if isinstance(entry, dict) else (entry, "")
    return f"{value:10.4f}  {note}".rstrip()


def _flat(scores: dict[str, Any]) -> dict[str, Any]:
    in_faces = {f"dlib_face.{name}": entry for name, entry in scores.get("dlib_face", {}).items()}
    return {name: entry for name, entry in scores.items() if name != "dlib_face"} | in_faces


def _note(entry: dict[str, Any]) -> str:
    if "interval" in entry:
        return f"{entry['interval']['low']:.4f} to {entry['interval']['high']:.4f}"
    return f"± {entry['standard_deviation']:.4f} over {entry['subsets']} subsets of {entry['subset_size']}"
