"""The stage `evaluate`: what the judge reads in a model's images, how far they are from real ones, figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlcv.data.batches import to_uint8
from dlcv.data.prepared import load_split
from dlcv.diffusion import figures
from dlcv.diffusion.config import Diffusion, Guidance
from dlcv.diffusion.model import Model, draw, load_model, seeds_of
from dlcv.diffusion.tasks import DIGITS, JUDGE, METRICS, OUT, REFERENCE, digit_of, name_of, settings_of
from dlcv.engine.weights import load_state, origin, snapshots_of
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor, load_extractor
from dlcv.evaluation.figures import beside_nearest
from dlcv.evaluation.folder import list_images, read_images
from dlcv.evaluation.judge.network import Judge, accuracy_of, load_judge
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.metrics.classification import accuracy
from dlcv.evaluation.reference import Reference, load_reference
from dlcv.evaluation.scores import equal_count, protocol, score, score_features
from dlcv.figures import charts
from dlcv.runtime import tracking
from dlcv.runtime.config import Params
from dlcv.runtime.files import read_json, replacing, write_json
from dlcv.runtime.nested import flatten


@dataclass(frozen=True)
class Yardstick:
    """What images are measured with."""

    judge: Judge
    extractor: Extractor
    reference: Reference


def run(model: str, params: Params) -> Path:
    """Score the images of `model`.

    Returns:
        The JSON of its scores; figures, `guidance.csv` and `snapshots.csv` lie in `out/diffusion/MODEL-evaluation/`.

    Raises:
        UserError: no images, no judge, no reference, or fewer images than can be scored.
    """
    evaluation, section = params[Evaluation], params[Diffusion]
    samples = OUT / f"{model}-samples"
    loaded = load_model(OUT / model, model)
    digits = np.array([digit_of(file.name) for file in list_images(samples / "images")])
    images = read_images(samples / "images")
    drawn = read_json(samples / "drawn.json")
    tools = Yardstick(load_judge(JUDGE), load_extractor(evaluation), load_reference(REFERENCE))
    # Images and real ones in the same number, and of every digit equally many.
    count = min(len(images), equal_count(evaluation, tools.reference)) // 10 * 10
    evaluation = evaluation.model_copy(update={"images": count})
    assert tools.reference.validation is not None

    scores = {
        **accuracy_of(digits, tools.judge(images)),
        **score(of_each(images, digits, count), tools.reference, evaluation, params.seed, tools.extractor, faces=False),
    }
    real = score_features(
        tools.reference.validation[:count], tools.reference, evaluation, params.seed, tools.extractor.score, False
    )
    guided = over_guidance(loaded, section, settings_of(model, params).guidance, params.seed, tools)
    learned = over_snapshots(loaded, section, settings_of(model, params).guidance, params.seed, tools.judge)

    with replacing(OUT / f"{model}-evaluation") as folder:
        folder.mkdir(parents=True)
        guided.to_csv(folder / "guidance.csv", index=False, float_format="%.6g")
        learned.to_csv(folder / "snapshots.csv", index=False, float_format="%.6g")
        name = tools.extractor.score.replace("_", " ")
        figures.against_w(folder / "guidance.png", guided, name, f"{model}: {section.table.images} images at each w")
        figures.diagram(
            folder / "diagram.png", loaded.about["layers"], f"{model}, width {loaded.about['network']['width']}"
        )
        charts.confusion(
            folder / "confusion.png",
            {f"{model}: what the judge reads": np.array(scores["confusion"])},
            f"{len(images)} generated images",
        )
        charts.curves(
            folder / "curve.png",
            OUT / model / "curve.csv",
            f"{model}: training batches, means over the steps of a point",
            right=("gradient_norm",),
        )
        first = [int(np.flatnonzero(digits == digit)[0]) for digit in range(10)]
        training = load_split(DIGITS, "train").images
        beside_nearest(images[first], tools.extractor, tools.reference, training).save(folder / "neighbours.png")
    write_json(
        METRICS / f"{model}.json",
        {
            "model": model,
            "scores": scores,
            "real": real,
            "guidance": cells(guided),
            "snapshots": {str(row["step"]): row["accuracy"] for row in learned.to_dict("records")},
            "judge": {key: tools.judge.about[key] for key in ("fingerprint", "sha256")},
            **origin(loaded.about),
            "protocol": {
                **protocol(tools.reference, evaluation, params.seed, tools.extractor, faces=False),
                "judged_images": len(images),
                "sampler": drawn["sampling"],
                "guidance": drawn["guidance"],
                "steps": drawn["steps"],
                "network_evaluations_per_image": drawn["network_evaluations_per_image"],
                "table_images": section.table.images,
                "snapshot_images": section.table.snapshot_images,
            },
        },
    )
    track(model, scores, guided, loaded.about, params)
    return METRICS / f"{model}.json"


def of_each(images: np.ndarray, digits: np.ndarray, count: int) -> np.ndarray:
    """The first `count` / 10 images of every digit, digit by digit.

    The first `count` of all would be zeros and ones. Digit by digit, because the groups that the jackknife leaves
    out are every n-th image each: of images in turns from 0 to 9, ten groups would be the ten digits.
    """
    chosen = [np.flatnonzero(digits == digit)[: count // 10] for digit in range(10)]
    picked: np.ndarray = images[np.concatenate(chosen)]
    return picked


def over_guidance(model: Model, section: Diffusion, own: Guidance, seed: int, tools: Yardstick) -> pd.DataFrame:
    """Accuracy and Fréchet distance against w, then against the share of skipped unconditional passes.

    Every cell draws the same noises. The share is varied at the model's own w.

    Returns:
        `row` ("w", "skip" or, last, "real": as many validation images), `w`, `skip_unconditional`, `evaluations` of
        the network for an image, `accuracy` with the interval `low`, `high`, and `distance`.
    """
    count = section.table.images
    rows: list[dict[str, Any]] = []

    def add(row: str, guidance: Guidance, evaluations: int, images: np.ndarray, digits: np.ndarray) -> None:
        read = accuracy(tools.judge(images) == digits)
        features = tools.extractor(images)
        rows.append(
            {
                "row": row,
                "w": guidance.w,
                "skip_unconditional": guidance.skip_unconditional,
                "evaluations": evaluations,
                "accuracy": read["accuracy"],
                "low": read["interval"]["low"],
                "high": read["interval"]["high"],
                "distance": frechet.distance(frechet.statistics(features), tools.reference.statistics),
            }
        )

    names = [name_of(digit, number) for digit in range(10) for number in range(1, count // 10 + 1)]
    digits = np.array([int(name[0]) for name in names])
    choices = [("w", Guidance(w=w, skip_unconditional=0.0)) for w in section.table.w]
    choices += [("skip", Guidance(w=own.w, skip_unconditional=share)) for share in section.table.skip_unconditional]
    for row, guidance in choices:
        drawn = draw(model, digits.tolist(), seeds_of(names, seed), section.sampling, guidance, seed)
        add(row, guidance, drawn.evaluations, to_uint8(drawn.images).numpy(), digits)
    validation = load_split(DIGITS, "val")
    assert validation.labels is not None
    add("real", Guidance(w=0.0, skip_unconditional=0.0), 0, validation.images[:count], validation.labels[:count])
    return pd.DataFrame(rows)


def over_snapshots(model: Model, section: Diffusion, own: Guidance, seed: int, judge: Judge) -> pd.DataFrame:
    """How soon the class counts: accuracy at every snapshot of the training, from the same noises at each.

    The model is left with the weights of the last snapshot, which are its own.

    Returns:
        `step`, `accuracy`, and its interval `low`, `high`.
    """
    numbers = range(1, section.table.snapshot_images // 10 + 1)
    names = [name_of(digit, number) for digit in range(10) for number in numbers]
    digits = np.array([int(name[0]) for name in names])
    rows = []
    for step, path in snapshots_of(OUT / model.about["model"]).items():
        load_state(path, model.network)
        drawn = draw(model, digits.tolist(), seeds_of(names, seed), section.sampling, own, seed)
        read = accuracy(judge(to_uint8(drawn.images).numpy()) == digits)
        rows.append({"step": step, "accuracy": read["accuracy"], **read["interval"]})
    return pd.DataFrame(rows)


def cells(table: pd.DataFrame) -> dict[str, Any]:
    """The table of `over_guidance` as `dvc metrics diff` shows it: {"w 0": {…}, …, "skip 0.5": {…}, "real": {…}}."""
    nested = {}
    for row in table.to_dict("records"):
        key = {"w": f"w {row['w']:g}", "skip": f"skip {row['skip_unconditional']:g}", "real": "real"}[row["row"]]
        nested[key] = {
            "accuracy": row["accuracy"],
            "interval": {"low": row["low"], "high": row["high"]},
            "distance": row["distance"],
            "network_evaluations_per_image": row["evaluations"],
        }
    return nested


def track(model: str, scores: dict[str, Any], guided: pd.DataFrame, about: dict[str, Any], params: Params) -> None:
    """Show scores and figures in MLflow: in a run of the evaluation, and in the run that made the weights."""
    values = {name: value for name, value in flatten(scores).items() if isinstance(value, float)}
    table = {name: value for name, value in flatten(cells(guided)).items() if isinstance(value, float)}
    drawn = sorted((OUT / f"{model}-evaluation").glob("*.png")) + sorted((OUT / f"{model}-samples").glob("*.png"))
    settings = {
        "evaluation": params[Evaluation].model_dump(),
        "sampling": params[Diffusion].sampling.model_dump(),
        "guidance": settings_of(model, params).guidance.model_dump(),
    }
    with tracking.run(f"evaluate-{model}", area="diffusion", params=settings) as tracked:
        tracked.scores(values | {f"table.{name}": value for name, value in table.items()})
        for figure in drawn:
            tracked.figure(figure)
    tracking.add_scores(about["sha256"], values, drawn)
