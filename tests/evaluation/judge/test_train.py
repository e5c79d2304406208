"""The judge's two stages on coloured noise, and the shifts of its training images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcv.data.prepared import load_split
from dlcv.evaluation.judge import evaluate, train
from dlcv.evaluation.judge.network import load_judge
from dlcv.evaluation.judge.train import shifted
from dlcv.evaluation.metrics.intervals import wilson
from dlcv.runtime.config import load
from dlcv.runtime.files import read_json
from dlcv.runtime.provenance import closure, is_neutral
from tests.adaptation.conftest import write_domain
from tests.conftest import files

pytestmark = pytest.mark.slow  # seconds of networks


@pytest.fixture
def real(study: Path, set_params: Any) -> Path:
    """Prepared digits: each label has a colour of its own, with noise."""
    write_domain("mnistm", 0)
    colours = np.array(
        [[r, g, b] for r in (20, 200) for g in (20, 200) for b in (20, 200)] + [[110] * 3, [20, 110, 20]]
    )
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        labels = np.load(f"data/digits/mnistm/{split}_labels.npy")
        noise = rng.integers(0, 30, size=(len(labels), 28, 28, 3))
        np.save(f"data/digits/mnistm/{split}_images.npy", (colours[labels][:, None, None] + noise).astype(np.uint8))
    set_params({"judge.channels": 8})
    set_params({"judge.training.steps": 60, "judge.training.batch_size": 20, "judge.training.shift": 0})
    return study


def test_the_judge_learns_from_real_images_and_is_scored_on_others(real: Path) -> None:
    weights, evaluation = Path("out/evaluation/judge/0"), Path("out/evaluation/judge-evaluation")
    assert train.run(load()) == weights
    path = evaluate.run(load())
    first = path.read_bytes()
    summary, scores = read_json(path), read_json(evaluation / "scores.json")
    assert path == Path("out/evaluation/judge-evaluation/summary.json")
    own = scores["digit_accuracy"]
    assert own["accuracy"] > 0.8 and scores["images"] == {"domain": "mnistm", "split": "val", "count": 40}
    assert summary["digit_accuracy"] == {"value": own["accuracy"], "interval": own["interval"]}
    assert set(summary) == {"seeds", "digit_accuracy", "digits"} and len(summary["digits"]) == 10
    assert np.array(scores["confusion"]).sum() == 40 and len(scores["digits"]) == 10
    assert sorted(files(weights)) == ["curve.csv", "weights.json", "weights.safetensors"]
    written = [
        "confusion.png",
        "curve.json",
        "curve.png",
        "figures.json",
        "headline.json",
        "scores.json",
        "summary.json",
    ]
    assert sorted(files(evaluation)) == written
    judge = load_judge(weights)
    assert scores["training"]["sha256"] == judge.about["sha256"] and not judge.network.training
    listing = read_json(evaluation / "figures.json")
    assert listing["of"] == f"Stage `judge-evaluate`, training `judge/0` `{judge.about['fingerprint'][:12]}`"
    assert judge.about["stage"] == "stages/evaluation/dvc.yaml:judge@0"
    # It depends on the prepared digits and on nothing that was generated.
    assert list(judge.about["data"]) == ["mnistm"]
    train.run(load())
    assert evaluate.run(load()).read_bytes() == first


def test_each_seed_is_a_judge_and_the_accuracy_is_over_all(real: Path, set_params: Any, dlcv: Any) -> None:
    set_params({"judge.seeds": [5, 3], "judge.training.steps": 20})
    assert dlcv("evaluate judge train")[0] == 0
    missing = "out/evaluation/judge/3/weights.json is missing; `dvc repro` trains it, `dvc pull` fetches it"
    assert dlcv("evaluate judge score") == (1, f"dlcv: error: {missing}\n")
    for words in ("train --seed 3", "score"):
        assert dlcv(f"evaluate judge {words}")[0] == 0
    validation = load_split(Path("data/digits/mnistm"), "val")
    judges = {seed: load_judge(Path(f"out/evaluation/judge/{seed}")) for seed in (5, 3)}
    assert len({judge.about["sha256"] for judge in judges.values()}) == 2
    assert all(judge.about["params"]["seed"] == seed for seed, judge in judges.items())
    each = [float((judge(validation.images) == validation.labels).mean()) for judge in judges.values()]
    summary = read_json(real / "out/evaluation/judge-evaluation/summary.json")
    scored = summary["digit_accuracy"]
    assert summary["seeds"] == [5, 3] and scored["value"] == np.mean(each) and each[0] != each[1]
    assert scored["standard_deviation"] == np.std(each, ddof=1)
    # The interval is wider than that of the images, which both judges share.
    low, high = wilson(round(40 * scored["value"]), 40)
    assert scored["interval"]["high"] - scored["interval"]["low"] > high - low
    # The figures are of the first seed.
    first = read_json(real / "out/evaluation/judge-evaluation/scores.json")
    assert first["training"]["name"] == "judge/5" and first["digit_accuracy"]["accuracy"] == each[0]


def test_an_edited_metric_retrains_no_judge() -> None:
    """The training depends on the judge's network and on nothing else that is evaluation."""
    modules = closure(["dlcv.evaluation.judge.train"])
    assert {module for module in modules if module.startswith("dlcv/evaluation/") and not is_neutral(module)} == {
        "dlcv/evaluation/judge/network.py",
        "dlcv/evaluation/judge/train.py",
    }


def test_images_are_shifted_whole_and_their_border_is_repeated() -> None:
    torch.manual_seed(0)
    images = torch.arange(64.0).view(1, 1, 8, 8).expand(200, 3, 8, 8)
    assert shifted(images, 0) is images
    moved = shifted(images, 2)
    assert moved.shape == images.shape
    offsets = set()
    for image in moved:
        value = int(image[0, 4, 4])  # 36 where nothing moved
        down, across = value // 8 - 4, value % 8 - 4
        offsets.add((down, across))
        rows = (torch.arange(8) + down).clamp(0, 7)
        columns = (torch.arange(8) + across).clamp(0, 7)
        assert torch.equal(image, images[0][:, rows][:, :, columns])
    assert len(offsets) == 25
