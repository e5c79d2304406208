"""The judge's two stages on coloured noise, and the shifts of its training images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcv.evaluation.judge import evaluate, train
from dlcv.evaluation.judge.network import load_judge
from dlcv.evaluation.judge.train import shifted
from dlcv.runtime.config import load
from dlcv.runtime.files import read_json
from dlcv.runtime.provenance import closure, is_neutral
from tests.adaptation.conftest import write_domain

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
    set_params({"judge.channels": 8, "judge.steps": 60, "judge.batch_size": 20, "judge.shift": 0})
    return study


def test_the_judge_learns_from_real_images_and_is_scored_on_others(real: Path) -> None:
    assert train.run(load()) == Path("out/evaluation/judge")
    path = evaluate.run(load())
    first = path.read_bytes()
    scores = read_json(path)
    assert path == Path("metrics/evaluation/judge.json")
    assert scores["accuracy"] > 0.8 and scores["images"] == {"domain": "mnistm", "split": "val", "count": 40}
    assert np.array(scores["confusion"]).sum() == 40 and len(scores["digits"]) == 10
    weights, figures = Path("out/evaluation/judge"), Path("out/evaluation/judge-evaluation")
    assert sorted(file.name for file in weights.iterdir()) == ["curve.csv", "weights.json", "weights.safetensors"]
    assert sorted(file.name for file in figures.iterdir()) == ["confusion.png", "curve.png", "figures.json"]
    judge = load_judge(weights)
    assert scores["training"]["sha256"] == judge.about["sha256"] and not judge.network.training
    listing = read_json(figures / "figures.json")
    assert listing["of"] == f"Stage `judge-evaluate`, training `judge` `{judge.about['fingerprint'][:12]}`"
    assert judge.about["stage"] == "stages/evaluation/dvc.yaml:judge"
    # It depends on the prepared digits and on nothing that was generated.
    assert list(judge.about["data"]) == ["mnistm"]
    train.run(load())
    assert evaluate.run(load()).read_bytes() == first


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
