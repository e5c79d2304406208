"""The evaluation of digits with an untrained judge and a small extractor: scores, tables and files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlcv.data.images import read_images
from dlcv.data.prepared import load_split
from dlcv.diffusion import evaluate_digits, sample_digits
from dlcv.diffusion.config import DIGITS_REFERENCE, Diffusion, Guidance
from dlcv.diffusion.digits import load_model
from dlcv.engine.weights import load_state
from dlcv.evaluation.judge.network import JudgeNetwork, classify, load_judge
from dlcv.evaluation.reference import of_images, save_reference
from dlcv.runtime.config import load
from dlcv.runtime.files import read_json, write_json
from tests.conftest import files
from tests.diffusion.conftest import Means

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

MODEL = "attention-unet"
TRAINED = Path("out/diffusion/attention-unet-0")
FOLDER = Path("out/diffusion/attention-unet-0-evaluation")


@pytest.fixture
def evaluated(
    digits: Path, trained_digits: Path, judge: JudgeNetwork, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    extractor: Any = Means()
    monkeypatch.setattr(evaluate_digits, "load_extractor", lambda *_: extractor)
    train, val = (np.array(load_split(Path("data/digits/mnistm"), split).images) for split in ("train", "val"))
    save_reference(DIGITS_REFERENCE, of_images("digits/mnistm", train, val, extractor))
    sample_digits.run(MODEL, load())
    assert evaluate_digits.run(MODEL, load()) == FOLDER
    scores: dict[str, Any] = read_json(FOLDER / "scores.json")
    return scores


def test_scores_are_the_judges_and_those_of_the_images(evaluated: dict[str, Any], judge: JudgeNetwork) -> None:
    images = read_images(Path("out/diffusion/attention-unet-0-samples/images"))
    predictions, labels = classify(judge, images), np.repeat(np.arange(10), 2)
    scores = evaluated["scores"]
    judged = scores["digit_accuracy"]
    assert judged["accuracy"] == (predictions == labels).mean()
    assert judged["interval"]["low"] <= judged["accuracy"] <= judged["interval"]["high"]
    assert list(scores["digits"]) == [str(digit) for digit in range(10)]
    assert np.array(scores["confusion"]).sum(axis=1).tolist() == [2] * 10
    for digit, values in scores["digits"].items():
        assert values["accuracy"] == (predictions[labels == int(digit)] == int(digit)).mean()
        assert values["interval"]["low"] <= values["accuracy"] <= values["interval"]["high"]
    assert {"frechet_means", "kid", "precision", "recall", "density", "coverage", "memorised"} < set(scores)
    assert "face_score" not in scores and evaluated["real"]["frechet_means"]["value"] > 0


def test_the_table_has_a_row_for_every_w_and_skip_with_its_network_evaluations(evaluated: dict[str, Any]) -> None:
    table = evaluated["guidance"]
    assert list(table) == ["w 0", "w 2", "skip 0.5", "real"]
    costs = [cell["network_evaluations_per_image"] for cell in table.values()]
    assert costs[:2] == [3, 6] and 3 <= costs[2] <= 6 and costs[3] == 0
    # The samples are those of the row at the model's own w: the same noise, the same number of images.
    assert table["w 2"]["accuracy"] == evaluated["scores"]["digit_accuracy"]["accuracy"]
    own = evaluated["scores"]["frechet_means"]["value"]
    assert table["w 2"]["distance"] == pytest.approx(own, rel=1e-3)
    assert table["w 0"]["distance"] != table["w 2"]["distance"]
    real = evaluated["real"]["frechet_means"]["value"]
    assert table["real"]["distance"] == pytest.approx(real, rel=1e-3)  # both of the first 20
    assert list(evaluated["snapshots"]) == ["4", "12"]


def test_protocol_and_figures_are_written_and_no_seconds(evaluated: dict[str, Any]) -> None:
    protocol = evaluated["protocol"]
    assert protocol["images"] == protocol["judged_images"] == protocol["table_images"] == 20
    assert protocol["network_evaluations_per_image"] == 6 and protocol["steps"] == 3
    assert protocol["guidance"] == {"w": 2.0, "skip_unconditional": 0.0} and protocol["face_detector"] is None
    assert protocol["sampler"]["spacing"] == "trailing"
    assert evaluated["judge"]["fingerprint"] == "e" * 64 and evaluated["training"]["fingerprint"] == "f" * 64
    assert "second" not in str(evaluated)
    figures = ["confusion.png", "curve.png", "diagram.png", "guidance.png", "neighbours.png"]
    others = ["architecture.json", "curve.json", "figures.json", "guidance.csv", "guidance.json", "scores.json"]
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted([*figures, *others, "snapshots.csv"])
    listed = read_json(FOLDER / "figures.json")
    assert [figure["file"] for figure in listed["figures"]] == list(evaluate_digits.CAPTIONS)
    assert sorted(evaluate_digits.CAPTIONS) == figures
    stage = "stages/diffusion/dvc.yaml:evaluate@attention-unet-0"
    assert listed["of"] == f"Stage `{stage}`, training `attention-unet-0` `ffffffffffff`"
    table = pd.read_csv(FOLDER / "guidance.csv")
    assert list(table["row"]) == ["w", "w", "skip", "real"] and list(table["evaluations"])[:2] == [3, 6]
    assert list(pd.read_csv(FOLDER / "snapshots.csv")["step"]) == [4, 12]


def test_the_same_inputs_give_the_same_bytes(evaluated: dict[str, Any]) -> None:
    first = files(FOLDER)
    assert files(evaluate_digits.run(MODEL, load())) == first


def test_the_summary_is_over_the_evaluated_seeds(evaluated: dict[str, Any], set_params: Any, dlcv: Any) -> None:
    set_params({"diffusion.models": [MODEL], "diffusion.seeds": [0, 3], "judge.seeds": [0, 9]})
    missing = f"out/diffusion/{MODEL}-3-evaluation/scores.json has no scores; `dvc repro` makes it, `dvc pull` fetches"
    code, error = dlcv("diffusion summary")
    assert code == 1 and error.startswith(f"dlcv: error: {missing}")
    shutil.copytree(TRAINED, f"out/diffusion/{MODEL}-3")  # the same network, but other noise
    about = read_json(TRAINED / "weights.json")
    write_json(Path(f"out/diffusion/{MODEL}-3/weights.json"), {**about, "name": f"{MODEL}-3"})
    for words in (f"sample {MODEL} --seed 3", f"evaluate {MODEL} --seed 3", "summary"):
        assert dlcv(f"diffusion {words}")[0] == 0
    other = read_json(Path(f"out/diffusion/{MODEL}-3-evaluation/scores.json"))
    # Every training is read by the first judge.
    assert other["judge"] == evaluated["judge"]
    summary = read_json(Path("out/diffusion-summary/summary.json"))
    assert summary["seeds"] == [0, 3] and list(summary["models"]) == [MODEL]
    each = [one["scores"] for one in (evaluated, other)]
    for score, key in (("frechet_means", "value"), ("digit_accuracy", "accuracy")):
        values, scored = [one[score][key] for one in each], summary["models"][MODEL][score]
        assert (scored["value"], scored["standard_deviation"]) == (np.mean(values), np.std(values, ddof=1))
        assert scored["interval"]["low"] <= scored["value"] <= scored["interval"]["high"]
    assert list(summary["models"][MODEL]["digits"]) == [str(digit) for digit in range(10)]


def test_few_images_still_have_every_digit() -> None:
    """The first 20 of 100 images, in the order of their names, are zeros and ones."""
    digits = np.repeat(np.arange(10), 10)
    images = np.arange(100)
    assert evaluate_digits.of_each(images, digits, 20).tolist() == [
        10 * digit + n for digit in range(10) for n in (0, 1)
    ]
    # A group of the jackknife, every tenth image, has all digits.
    hundred = evaluate_digits.of_each(np.repeat(images, 10), np.repeat(digits, 10), 100)
    assert len({int(image) // 10 for image in hundred[::10]}) == 10


def test_the_model_has_its_own_weights_after_the_snapshots(evaluated: dict[str, Any], judge: JudgeNetwork) -> None:
    loaded = load_model(TRAINED)
    before = {name: value.clone() for name, value in loaded.network.state_dict().items()}
    load_state(TRAINED / "snapshots/step-000004.safetensors", loaded.network)
    guidance = Guidance(w=0.0, skip_unconditional=0.0)
    table = evaluate_digits.over_snapshots(
        loaded, load()[Diffusion], guidance, 0, load_judge(Path("out/evaluation/judge/0"))
    )
    assert list(table["step"]) == [4, 12] and all(
        (value == before[name]).all() for name, value in loaded.network.state_dict().items()
    )


@pytest.mark.usefixtures("digits")
def test_no_judge_is_one_line(trained_digits: Path, dlcv: Any) -> None:
    sample_digits.run(MODEL, load())
    code, error = dlcv(f"diffusion evaluate {MODEL}")
    assert code == 1 and error.startswith("dlcv: error: out/evaluation/judge/0/weights.json is missing; `dvc repro`")
