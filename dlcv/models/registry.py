"""Models in MLflow: each evaluated training as a logged model, and the best of each problem registered as such.

A problem is what several trainings solve: the models of an area, or the adapted classifiers of one scenario.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcv.adaptation.config import ADAPTING, DIGITS, Adaptation, evaluation_folder
from dlcv.adaptation.trainings import trainings
from dlcv.data.prepared import load_split
from dlcv.diffusion import config as diffusion
from dlcv.engine.weights import read_about
from dlcv.evaluation.config import Judge, judge_folder
from dlcv.gan import config as gan
from dlcv.models.card import title
from dlcv.models.export import export
from dlcv.models.kinds import KINDS
from dlcv.models.load import read_use
from dlcv.models.scores import evaluation_of, scores_of
from dlcv.runtime import mlflow_models, summaries
from dlcv.runtime.config import Params
from dlcv.runtime.files import read_json
from dlcv.runtime.mlflow_models import Interface
from dlcv.runtime.nested import numbers
from dlcv.runtime.tracking import Training
from dlcv.vae import config as vae

EXAMPLES = 4  # images of a classifier's input example


@dataclass(frozen=True)
class Candidate:
    """An evaluated training, and the validation score by which the best of its problem is chosen.

    Attributes:
        about: the JSON beside its weights.
        criterion: name of the score.
        value: of the score.
        sign: -1 if a lower value is better, otherwise 1.
    """

    about: Mapping[str, Any]
    criterion: str
    value: float
    sign: int = 1


@dataclass(frozen=True)
class Registered:
    """The best training of a problem, as it stands in the registry."""

    name: str
    version: str
    candidate: Candidate
    candidates: int


def register(params: Params) -> Iterator[Registered]:
    """Log the model of every evaluated training of params.yaml that is not logged yet, and register the best ones.

    The best model of a problem gets the alias `best`; its scores are tags. It is yielded.

    Raises:
        UserError: MLflow is away, or weights are damaged.
    """
    for problem, folders in problems(params).items():
        found = [candidate for folder in folders if (candidate := candidate_of(folder))]
        if not found:
            continue
        logged = {candidate.about["sha256"]: log(candidate.about, params) for candidate in found}
        best = max(found, key=lambda one: one.sign * one.value)
        name = f"dlcv-{problem}"
        tags = {
            "training": f"{best.about['area']}/{best.about['name']}",
            "weights.sha256": best.about["sha256"],
            "chosen_by": best.criterion,
            best.criterion: f"{best.value:.6g}",
            **{score.name.replace(" ", "."): f"{score.value:.6g}" for score in scores_of(best.about)},
        }
        version = mlflow_models.register(logged[best.about["sha256"]], name, "best", tags)
        yield Registered(name, version, best, len(found))


def problems(params: Params) -> dict[str, list[Path]]:
    """The folders of the trainings that solve each problem."""
    digits, adapted = params[diffusion.Diffusion], trainings(params)
    return {
        "gan": [
            gan.OUT / gan.name_of(model, seed) for model in params[gan.Gan].models for seed in params[gan.Gan].seeds
        ],
        "vae": [vae.OUT / vae.name_of(seed) for seed in params[vae.Vae].seeds],
        "ddim": [diffusion.FACES_OUT / diffusion.faces_name(seed) for seed in params[diffusion.Ddim].seeds],
        "diffusion": [
            diffusion.DIGITS_OUT / diffusion.digits_name(model, seed)
            for model in digits.models
            for seed in digits.seeds
        ],
        "judge": [judge_folder(seed) for seed in params[Judge].seeds],
        **{
            f"adaptation-{scenario}": [
                task.folder for method in ADAPTING for task in adapted[method] if task.name == scenario
            ]
            for scenario in params[Adaptation].scenarios
        },
    }


def candidate_of(folder: Path) -> Candidate | None:
    """The training in `folder` with the score that chooses; None if it is missing or not evaluated."""
    if not (folder / "weights.json").is_file():
        return None
    about = read_about(folder)
    if about["area"] == "adaptation":
        return _by_validator(about)
    scores = {score.key: score for score in scores_of(about)}
    evaluation = evaluation_of(about)
    for key in ("accuracy", "mse"):  # of images that were not trained on, or by a judge that was not
        if key in scores:
            return Candidate(about, key, scores[key].value, 1 if scores[key].higher_is_better else -1)
    if evaluation is None:
        return None
    # Faces: the distance to validation images, where there are enough of them, otherwise to the training images.
    names = {name: score for name, score in evaluation["scores"].items() if name.endswith("_to_validation")}
    for name, value in names.items():
        return Candidate(about, name, value, -1)
    key = next(key for key in ("fid", "frechet") if key in scores)
    return Candidate(about, key, scores[key].value, -1)


def _by_validator(about: Mapping[str, Any]) -> Candidate | None:
    """Without labels of the target, which nobody would have."""
    path = evaluation_folder(about["task"]) / summaries.FILE
    if not path.is_file():
        return None
    evaluation = read_json(path)
    rows = evaluation["rows"].values()
    if about["sha256"] not in {training["sha256"] for row in rows for training in row["trainings"]}:
        return None
    choice = evaluation["choice"]
    return Candidate(about, choice["criterion"], choice["candidates"][about["name"]][choice["criterion"]])


def log(about: Mapping[str, Any], params: Params) -> str:
    """Log the model of a training in the row of the training, and return its id, or that of the one there is."""
    training = Training(about["area"], about["name"], about["sha256"], about["params"])
    if (found := mlflow_models.find(training)) is not None:
        return found
    kind, evaluation = KINDS[about["area"]], evaluation_of(about)
    if evaluation is not None:
        scores = numbers(evaluation["scores"])
    else:
        scores = {score.name.replace(" ", "."): score.value for score in scores_of(about)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = export(f"{about['area']}/{about['name']}", params, Path(temporary) / title(about))
        interface = Interface(kind.columns or examples(about), read_use(folder)["options"], kind.returns)
        return mlflow_models.log(training, folder, interface, scores)


def examples(about: Mapping[str, Any]) -> np.ndarray:
    """A few validation images for a classifier, uint8 N x 28 x 28 x 3: of the target, or of the only domain."""
    domain = about["params"].get("target") or next(iter(about["data"]))
    return np.array(load_split(DIGITS / domain, "val").images[:EXAMPLES])
