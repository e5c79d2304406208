"""What the evaluation of a training says about it, from the files in out/."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlcv.evaluation import headline
from dlcv.evaluation.config import JUDGE_EVALUATION
from dlcv.evaluation.metrics.intervals import wilson
from dlcv.runtime import summaries
from dlcv.runtime.files import read_json
from dlcv.runtime.summaries import OUT


@dataclass(frozen=True)
class Score:
    """One score of one training.

    Attributes:
        name: as in metrics/, and before it the scenario where a training is scored in several.
        interval: low and high end, of the images alone.
        dataset: name of the prepared set.
        on: which images.
        what: what it is.
    """

    name: str
    value: float
    interval: tuple[float, float] | None
    dataset: str
    on: str
    what: str

    @property
    def key(self) -> str:
        """The key of `headline.SCORES`."""
        return self.name.rsplit(" ", 1)[-1]

    @property
    def higher_is_better(self) -> bool:
        return headline.SCORES[self.key].higher_is_better


def scores_of(about: Mapping[str, Any]) -> list[Score]:
    """The headline scores of the training that `about`, its `weights.json`, describes; none if it is not evaluated.

    Scores of other weights, from an earlier training of the same name, are left out.
    """
    area = about["area"]
    found = {"adaptation": _adaptation, "evaluation": _judge}.get(area, _images)(about)
    return sorted(found, key=lambda score: list(headline.SCORES).index(score.key))


def evaluation_of(about: Mapping[str, Any]) -> dict[str, Any] | None:
    """The `scores.json` of a generative model; None if there is none of these weights."""
    path = OUT / about["area"] / f"{about['name']}-evaluation" / "scores.json"
    evaluation: dict[str, Any] | None = read_json(path) if path.is_file() else None
    return evaluation if evaluation and evaluation["training"]["sha256"] == about["sha256"] else None


def _images(about: Mapping[str, Any]) -> Iterator[Score]:
    evaluation = evaluation_of(about)
    if evaluation is None:
        return
    scores, protocol = evaluation["scores"], evaluation["protocol"]
    dataset, distance = protocol["reference"]["name"], "Fréchet distance to the training images in the features of "
    texts = {
        "accuracy": "share of the images whose digit the judge reads as the one that was asked for",
        "face_score": "share of the images in which dlib's detector finds a face",
        "fid": f"{distance}pytorch-fid's InceptionV3",
        "frechet": f"{distance}{protocol['extractor']['name']}; not comparable with an FID",
        "frechet_dlib_face": f"{distance}dlib's network for faces; not comparable with an FID",
    }
    for name, score in headline.of_images(scores.get("samples", scores)).items():
        count = protocol["judged_images"] if name == "accuracy" else protocol["images"]
        yield _score(name, score, dataset, f"{count} generated images", texts[name])
    if "validation" in scores:  # of an autoencoder
        what = "mean squared error of the reconstructions, pixel values in [-1, 1]"
        yield Score("mse", scores["validation"]["mse"], None, dataset, f"validation images of {dataset}", what)


READ = "share of the images whose digit is read right"


def _judge(about: Mapping[str, Any]) -> Iterator[Score]:
    if not (JUDGE_EVALUATION / "scores.json").is_file():
        return
    first = read_json(JUDGE_EVALUATION / "scores.json")
    if first["training"]["name"] == about["name"] and first["training"]["sha256"] != about["sha256"]:
        return
    (row,) = read_json(JUDGE_EVALUATION / summaries.HEADLINE).values()
    domain, count = first["images"]["domain"], first["images"]["count"]
    for one in row["accuracy"]["trainings"]:
        if one["seed"] == about["params"]["seed"]:
            yield _score("accuracy", one, domain, f"{count} validation images of {domain}", READ)


def _adaptation(about: Mapping[str, Any]) -> Iterator[Score]:
    for path in sorted((OUT / "adaptation").glob(f"*-evaluation/{summaries.FILE}")):
        evaluation = read_json(path)
        accuracy = _accuracies(evaluation).get(about["sha256"])
        if accuracy is None:
            continue
        target, scenario = evaluation["protocol"]["images"]["target"], evaluation["scenario"]
        domain, count = target["domain"], target["count"]
        # A training on one domain is scored in several scenarios.
        name = "accuracy" if about["task"] == scenario else f"{scenario} accuracy"
        ends = wilson(round(accuracy * count), count)
        yield Score(name, accuracy, ends, domain, f"{count} validation images of {domain}", READ)


def _accuracies(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """The accuracy of each training of a scenario, by the SHA-256 of its weights."""
    found: dict[str, float] = {}
    variants = evaluation.get("variants", {}).get("variants", {})
    for row in (*evaluation["rows"].values(), *variants.values()):
        # A variant has the scores of its source-only baseline and of its own trainings, in this order.
        scored = [row] if "seeds" in row else [part for part in row.values() if isinstance(part, dict)]
        each = [value for part in scored if "accuracy" in part for value in part["seeds"].values()]
        found |= dict(zip((training["sha256"] for training in row["trainings"]), each, strict=True))
    return found


def _score(name: str, score: Mapping[str, Any], dataset: str, on: str, what: str) -> Score:
    ends = score.get("interval")
    value = score["value"] if "value" in score else score["accuracy"]
    return Score(name, value, (ends["low"], ends["high"]) if ends else None, dataset, on, what)
