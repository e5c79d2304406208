"""The judge of digits: its network, its stage on bars, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcv.engine.weights import save_weights
from dlcv.evaluation.judge.network import JudgeNetwork, accuracy_of, classify, load_judge
from dlcv.evaluation.judge.network import train as judging
from dlcv.evaluation.judge.train import shifted
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json
from tests.adaptation.conftest import write_domain


@pytest.fixture
def real(study: Path, set_params: Any) -> Path:
    """Each label in a colour of its own, on noise."""
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


def test_the_stage_learns_real_images_and_reads_others(real: Path) -> None:
    path = judging.run(load())
    first = path.read_bytes()
    scores = read_json(path)
    assert path == Path("metrics/evaluation/judge.json")
    assert scores["accuracy"] > 0.8 and scores["images"] == {"domain": "mnistm", "split": "val", "count": 40}
    assert np.array(scores["confusion"]).sum() == 40 and len(scores["digits"]) == 10
    out = Path("out/evaluation/judge")
    names = ["confusion.png", "curve.csv", "curve.png", "weights.json", "weights.safetensors"]
    assert sorted(file.name for file in out.iterdir()) == names
    judge = load_judge(out)
    assert scores["training"]["sha256"] == judge.about["sha256"] and not judge.network.training
    # It depends on the prepared digits and on nothing that was generated.
    assert list(judge.about["data"]) == ["mnistm"]
    assert judging.run(load()).read_bytes() == first


def test_its_answers_depend_on_no_batch_and_no_size() -> None:
    torch.manual_seed(0)
    network = JudgeNetwork(4).eval()
    images = np.random.default_rng(0).integers(0, 256, size=(260, 28, 28, 3), dtype=np.uint8)
    answers = classify(network, images)
    assert answers.shape == (260,) and answers.dtype == np.int64
    assert (classify(network, images[250:]) == answers[250:]).all()
    assert classify(network, images[:2, :21, :17]).shape == (2,)


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


def test_accuracy_is_told_for_all_and_for_each_digit() -> None:
    labels, answers = np.array([0, 0, 1, 1, 5]), np.array([0, 3, 1, 1, 5])
    scores = accuracy_of(labels, answers)
    assert scores["accuracy"] == 0.8 and list(scores["digits"]) == ["0", "1", "5"]
    assert [values["accuracy"] for values in scores["digits"].values()] == [0.5, 1.0, 1.0]
    assert scores["confusion"][0][3] == 1 and scores["confusion"][1][1] == 2
    for values in (scores, *scores["digits"].values()):
        assert values["interval"]["low"] <= values["accuracy"] <= values["interval"]["high"]


@pytest.mark.usefixtures("study")
def test_what_is_no_judge_is_refused(dlcv: Any) -> None:
    with pytest.raises(UserError, match="out/evaluation/judge/weights.json is missing; `dvc repro` trains it"):
        load_judge(Path("out/evaluation/judge"))
    save_weights(Path("other"), {"weight": torch.zeros(1)}, {"area": "gan", "name": "sngan"})
    with pytest.raises(UserError, match="other holds no judge of digits; `dvc repro stages/evaluation/dvc.yaml:judge`"):
        load_judge(Path("other"))
    code, error = dlcv("evaluate judge")
    assert code == 1 and error.startswith("dlcv: error: there is no prepared data in data/digits/mnistm")
