"""The stage `diffusion evaluate`: digit accuracy by the judge, distances to real digits, and figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from dlcv.data.batches import to_uint8
from dlcv.data.digit_names import digit_of, names_of
from dlcv.data.images import list_images, read_images
from dlcv.data.latents import seeds_of
from dlcv.data.prepared import load_split
from dlcv.diffusion import figures
from dlcv.diffusion.config import (
    DIGITS,
    DIGITS_OUT,
    DIGITS_REFERENCE,
    Diffusion,
    DigitNetwork,
    Guidance,
    digits_name,
    guidance_of,
)
from dlcv.diffusion.digits import draw, load_model
from dlcv.diffusion.networks.build import build
from dlcv.diffusion.samplers import Model
from dlcv.engine.weights import load_state, origin, snapshots_of
from dlcv.evaluation.config import Evaluation, judge_folder
from dlcv.evaluation.config import Judge as JudgeSection
from dlcv.evaluation.extractors.extractor import Extractor, load_extractor
from dlcv.evaluation.figures import beside_nearest
from dlcv.evaluation.judge.network import Judge, load_judge
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.metrics.classification import accuracy, accuracy_by_digit
from dlcv.evaluation.reference import Reference, load_reference
from dlcv.evaluation.scores import equal_count, protocol, score, score_features
from dlcv.evaluation.summary import summarise
from dlcv.figures import charts
from dlcv.figures.listing import made_by, write_listing
from dlcv.figures.prints import write_prints
from dlcv.runtime.config import Params
from dlcv.runtime.files import read_json, replacing, write_json
from dlcv.runtime.publish import publish_training

CAPTIONS = {
    "guidance.png": "Digit accuracy by the judge, with its interval, and distance, over the guidance scale w. Every w "
    "has the same noise.",
    "confusion.png": "Digits predicted by the judge (columns) for generated images of each digit (rows), in per cent.",
    "neighbours.png": "One image of each digit above its nearest training image in the features of the extractor.",
    "curve.png": "The weighted loss, the unweighted squared error of the prediction, and the norm of the gradient "
    "before clipping.",
    "diagram.png": "The network. Time and class enter the coloured parts; grey arcs are outputs that are concatenated "
    "with a later input.",
}


@dataclass(frozen=True)
class Tools:
    """What images are scored with."""

    judge: Judge
    extractor: Extractor
    reference: Reference


def run(model: str, params: Params) -> Path:
    """Score the images of the training of `model` with the seed of `params`.

    Returns:
        The folder with `scores.json`, `guidance.csv`, `snapshots.csv` and figures.

    Raises:
        UserError: no such model, no images, no judge, no reference, or fewer images than are scored.
    """
    evaluation, section, guidance = params[Evaluation], params[Diffusion], guidance_of(model, params)
    name = digits_name(model, params.seed)
    samples, out = (DIGITS_OUT / f"{name}-{stage}" for stage in ("samples", "evaluation"))
    loaded = load_model(DIGITS_OUT / name)
    digits = np.array([digit_of(file.name) for file in list_images(samples / "images", png_only=True)])
    images = read_images(samples / "images")
    drawn = read_json(samples / "drawn.json")
    tools = Tools(
        load_judge(judge_folder(params[JudgeSection].seeds[0])),
        load_extractor(evaluation, evaluation.input_size.digits),
        load_reference(DIGITS_REFERENCE),
    )
    # As many generated images as real ones, and the same number of each digit.
    count = min(len(images), equal_count(evaluation, tools.reference)) // 10 * 10
    evaluation = evaluation.model_copy(update={"images": count})
    assert tools.reference.validation is not None

    scores = {
        **accuracy_by_digit(digits, tools.judge(images)),
        **score(of_each(images, digits, count), tools.reference, evaluation, params.seed, tools.extractor, faces=False),
    }
    real = score_features(
        tools.reference.validation[:count], tools.reference, evaluation, params.seed, tools.extractor.score, False
    )
    guided = over_guidance(loaded, section, guidance, params.seed, tools)
    learned = over_snapshots(loaded, section, guidance, params.seed, tools.judge)

    with replacing(out) as folder:
        folder.mkdir(parents=True)
        guided.to_csv(folder / "guidance.csv", index=False, float_format="%.6g")
        learned.to_csv(folder / "snapshots.csv", index=False, float_format="%.6g")
        distance = tools.extractor.score.replace("_", " ")
        figures.over_w(folder / "guidance.png", guided, distance, f"{model}: {section.table.images} images at each w")
        width = loaded.about["network"]["width"]
        figures.diagram(folder / "diagram.png", loaded.about["layers"], f"{model}, width {width}")
        panel = {f"{model}: predictions of the judge": np.array(scores["confusion"])}
        charts.confusion(folder / "confusion.png", panel, f"{len(images)} generated images")
        charts.curves(
            folder / "curve.png",
            DIGITS_OUT / name / "curve.csv",
            f"{name}: training batches, means over the steps of a point",
            right=("gradient_norm",),
        )
        first = [int(np.flatnonzero(digits == digit)[0]) for digit in range(10)]
        training = load_split(DIGITS, "train").images
        beside_nearest(images[first], tools.extractor, tools.reference, training).save(folder / "neighbours.png")
        stage = f"stages/diffusion/dvc.yaml:evaluate@{name}"
        write_prints(folder, {"at the report's width": {"network": printed(loaded)}})
        write_listing(folder, CAPTIONS, made_by(stage, {name: loaded.about["fingerprint"]}))
        write_json(
            folder / "scores.json",
            {
                "model": model,
                "scores": scores,
                "real": summarise([real]),
                "guidance": as_nested(guided),
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
    shown = [*sorted(out.glob("*.png")), *sorted(samples.glob("*.png"))]
    publish_training(loaded.about, "diffusion", scores, shown)
    return out


def printed(model: Model) -> nn.Module:
    """The network of `model` as the report prints it, without values: at width 1, on single pixels."""
    own = {"width": 1, "patch": 1, "conditioning": "printed"}
    settings = DigitNetwork(**{**model.about["network"], **own})
    with torch.device("meta"):
        return build(settings, model.about["schedule"]["timesteps"])


def of_each(images: np.ndarray, digits: np.ndarray, count: int) -> np.ndarray:
    """The first `count` / 10 images of every digit, digit by digit.

    The order matters to the jackknife, whose groups are every n-th image: if the digits alternated, each of ten groups
    would be one digit.
    """
    chosen = [np.flatnonzero(digits == digit)[: count // 10] for digit in range(10)]
    picked: np.ndarray = images[np.concatenate(chosen)]
    return picked


def over_guidance(model: Model, section: Diffusion, own: Guidance, seed: int, tools: Tools) -> pd.DataFrame:
    """Accuracy and Fréchet distance over w, then over the probability of skipping the unconditional prediction.

    All rows have the same noise. The probability is varied at the model's own w.

    Returns:
        `row` ("w", "skip" or, last, "real": as many validation images), `w`, `skip_unconditional`, `evaluations` of
        the network for an image, `accuracy` with the interval `low`, `high`, and `distance`.
    """
    count = section.table.images
    rows: list[dict[str, Any]] = []

    def add(row: str, guidance: Guidance, evaluations: int, images: np.ndarray, digits: np.ndarray) -> None:
        judged = accuracy(tools.judge(images) == digits)
        features = tools.extractor(images)
        rows.append(
            {
                "row": row,
                "w": guidance.w,
                "skip_unconditional": guidance.skip_unconditional,
                "evaluations": evaluations,
                "accuracy": judged["accuracy"],
                "low": judged["interval"]["low"],
                "high": judged["interval"]["high"],
                "distance": frechet.distance(frechet.statistics(features), tools.reference.statistics),
            }
        )

    names = names_of(count)
    digits = np.array([digit_of(name) for name in names])
    choices = [("w", Guidance(w=w, skip_unconditional=0.0)) for w in section.table.w]
    choices += [("skip", Guidance(w=own.w, skip_unconditional=skip)) for skip in section.table.skip_unconditional]
    for row, guidance in choices:
        drawn = draw(model, digits.tolist(), seeds_of(names, seed), section.sampling, guidance, seed)
        add(row, guidance, drawn.evaluations, to_uint8(drawn.images).numpy(), digits)
    validation = load_split(DIGITS, "val")
    assert validation.labels is not None
    add("real", Guidance(w=0.0, skip_unconditional=0.0), 0, validation.images[:count], validation.labels[:count])
    return pd.DataFrame(rows)


def over_snapshots(model: Model, section: Diffusion, own: Guidance, seed: int, judge: Judge) -> pd.DataFrame:
    """Accuracy at every snapshot of the training, from the same noise at each: when the model learns the class.

    Afterwards the model has the weights of the last snapshot, which are its own.

    Returns:
        `step`, `accuracy`, and its interval `low`, `high`.
    """
    names = names_of(section.table.snapshot_images)
    digits = np.array([digit_of(name) for name in names])
    rows = []
    for step, path in snapshots_of(DIGITS_OUT / model.about["name"]).items():
        load_state(path, model.network)
        drawn = draw(model, digits.tolist(), seeds_of(names, seed), section.sampling, own, seed)
        judged = accuracy(judge(to_uint8(drawn.images).numpy()) == digits)
        rows.append({"step": step, "accuracy": judged["accuracy"], **judged["interval"]})
    return pd.DataFrame(rows)


def as_nested(table: pd.DataFrame) -> dict[str, Any]:
    """The table of `over_guidance` for `dvc metrics diff`: {"w 0": {…}, …, "skip 0.5": {…}, "real": {…}}."""
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
