"""Small models from training to their comparison, against real images and noise."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dlcv.evaluation import bounds
from dlcv.gan import evaluate, sample, summary, train
from dlcv.runtime.config import Params, load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json
from tests.gan.conftest import SMALL, STEPS, small

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

MODELS = ("dcgan", "dcgan-noisy-labels")
PAIR = "report-000"
SCORE = "frechet_efficientnet_lite0"


FEW = {"evaluation.neighbours": 3, "evaluation.kid_subsets": 2, "evaluation.jackknife_groups": 4}


@pytest.fixture
def sampled(faces: Path, set_params: Any) -> Params:
    """Two trained and sampled models, and the reference of 32 training and 8 validation images."""
    set_params({**SMALL, "gan.models": list(MODELS), "gan.pairs": {PAIR: {"a": MODELS[0], "b": MODELS[1]}}})
    set_params({**small(MODELS[0]), **small(MODELS[1]), **FEW})
    params = load()
    bounds.run("faces", params)
    for model in MODELS:
        train.run(model, params)
        sample.run(model, params)
    return params


def test_scores_figures_and_the_difference_of_two_models(sampled: Params, faces: Path) -> None:
    paths = [evaluate.run(model, sampled) for model in MODELS]
    first, second = (read_json(path / "scores.json") for path in paths)
    assert first["scores"][SCORE]["value"] != second["scores"][SCORE]["value"]
    real = read_json(faces / "out/evaluation/faces/summary.json")["rows"]["real"]
    for scores in (first["scores"], second["scores"]):
        # After twelve steps the images are grey, far from real ones.
        assert scores[SCORE]["value"] > 2 * real[SCORE]["value"]
        assert scores["face_score"]["value"] == 0
        assert set(real) | {f"{SCORE}_to_validation"} == set(scores)
    about = read_json(faces / "out/gan/dcgan-0/weights.json")
    assert first["training"] == {"name": "dcgan-0", "fingerprint": about["fingerprint"], "sha256": about["sha256"]}
    assert first["weights"] == "average at the last step"
    # As many images as there are validation images, though more were sampled.
    assert first["protocol"]["images"] == first["protocol"]["curve_images"] == 8
    assert first["protocol"]["network_evaluations_per_image"] == 1

    for model in MODELS:
        with open(faces / f"out/gan/{model}-0-evaluation/frechet.csv") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["step"]) for row in rows] == [STEPS // 3, 2 * STEPS // 3, STEPS]
        # The last snapshot is the result, and as many images are scored.
        value = read_json(faces / f"out/gan/{model}-0-evaluation/scores.json")["scores"][SCORE]["value"]
        assert float(rows[-1]["distance"]) == pytest.approx(value, rel=1e-4)
        for figure in ("curve.png", "neighbours.png"):
            assert min(Image.open(faces / f"out/gan/{model}-0-evaluation/{figure}").size) > 64
        listed = read_json(faces / f"out/gan/{model}-0-evaluation/figures.json")
        assert [figure["file"] for figure in listed["figures"]] == ["curve.png", "neighbours.png"]
        fingerprint = read_json(faces / f"out/gan/{model}-0/weights.json")["fingerprint"][:12]
        assert listed["of"] == f"Stage `evaluate@{model}-0`, training `{model}-0` `{fingerprint}`"

    before = (paths[0] / "scores.json").read_bytes()
    assert (evaluate.run(MODELS[0], sampled) / "scores.json").read_bytes() == before

    summarised = read_json(summary.run(sampled))
    assert summarised["seeds"] == [0] and list(summarised["models"]) == list(MODELS)
    assert summarised["models"]["dcgan"][SCORE]["value"] == first["scores"][SCORE]["value"]
    pair = summarised["pairs"][PAIR]
    values = pair[SCORE]
    assert (pair["a"], pair["b"], values["trainings"]) == (*MODELS, 1)
    assert values["value"] == second["scores"][SCORE]["value"] - first["scores"][SCORE]["value"]
    assert values["interval"]["low"] <= values["value"] <= values["interval"]["high"]
    grids = [Image.open(faces / f"out/gan/{model}-0-samples/grid.png") for model in MODELS]
    together = Image.open(faces / f"out/gan-summary/{PAIR}/images.png")
    assert together.width > sum(grid.width for grid in grids) and together.height > grids[0].height
    assert (faces / f"out/gan-summary/{PAIR}/frechet.png").is_file()
    listed = read_json(faces / f"out/gan-summary/{PAIR}/figures.json")
    assert [figure["file"] for figure in listed["figures"]] == ["images.png", "frechet.png"]
    a, b = (scores["training"]["fingerprint"][:12] for scores in (first, second))
    assert listed["of"] == f"Stage `summary`, trainings `dcgan-0` `{a}`, `dcgan-noisy-labels-0` `{b}`"


def test_a_second_seed_is_a_training_of_its_own(sampled: Params, faces: Path, set_params: Any) -> None:
    for model in MODELS:
        evaluate.run(model, sampled)
    (first,) = (faces / "out/gan/dcgan-0").glob("weights.safetensors")
    before = first.read_bytes()
    second = sampled.for_seed(1, [0])
    for model in MODELS:
        trained = train.run(model, second)
        assert trained == Path(f"out/gan/{model}-1") and (trained / first.name).read_bytes() != before
        sample.run(model, second)
        evaluate.run(model, second)
    assert first.read_bytes() == before
    set_params({"gan.seeds": [0, 1]})
    summarised = read_json(summary.run(load()))
    each = [
        read_json(faces / f"out/gan/dcgan-{seed}-evaluation/scores.json")["scores"][SCORE]["value"] for seed in (0, 1)
    ]
    scores = summarised["models"]["dcgan"][SCORE]
    assert scores["value"] == pytest.approx(sum(each) / 2) and scores["standard_deviation"] > 0
    assert summarised["pairs"][PAIR][SCORE]["trainings"] == 2


def test_a_model_is_declared_in_params_yaml_alone(faces: Path, set_params: Any) -> None:
    """A name in `gan.models` and a section: no code knows the model."""
    set_params({"gan.models": ["new"], "gan.pairs": {}, "gan.new": {"loss": "hinge"}})
    set_params({**SMALL, **small("new"), **FEW, "gan.base.snapshots": 1})
    params = load()
    bounds.run("faces", params)
    about = read_json(train.run("new", params) / "weights.json")
    assert (about["model"], about["architecture"]) == ("new", "dcgan")
    assert about["params"]["training"]["loss"] == "hinge" and about["params"]["training"]["optimizer"] == "adam"
    assert len(list((sample.run("new", params) / "images").glob("*.png"))) == 40
    evaluated = read_json(evaluate.run("new", params) / "scores.json")
    assert evaluated["scores"][SCORE]["value"] > 0 and evaluated["training"]["name"] == "new-0"


def test_what_is_missing_is_named(sampled: Params, faces: Path) -> None:
    with pytest.raises(UserError, match="out/gan/dcgan-0-evaluation/scores.json has no scores; `dvc repro` makes it"):
        summary.run(sampled)
    for path in sorted((faces / "out/gan/dcgan-0-samples/images").glob("*.png"))[5:]:
        path.unlink()
    with pytest.raises(UserError, match="5 generated images, but 8 are scored"):
        evaluate.run("dcgan", sampled)
    assert not (faces / "out/gan/dcgan-0-evaluation").exists()
