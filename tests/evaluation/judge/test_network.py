"""The judge's network: its predictions, and weights that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcv.engine.weights import save_weights
from dlcv.evaluation.config import judge_folder
from dlcv.evaluation.judge.network import JudgeNetwork, classify, load_judge
from dlcv.runtime.errors import UserError


def test_predictions_depend_on_no_batch_and_no_size() -> None:
    torch.manual_seed(0)
    network = JudgeNetwork(4).eval()
    images = np.random.default_rng(0).integers(0, 256, size=(260, 28, 28, 3), dtype=np.uint8)
    predictions = classify(network, images)
    assert predictions.shape == (260,) and predictions.dtype == np.int64
    assert (classify(network, images[250:]) == predictions[250:]).all()
    assert classify(network, images[:2, :21, :17]).shape == (2,)


@pytest.mark.usefixtures("study")
def test_what_is_no_judge_is_refused(dlcv: Any) -> None:
    with pytest.raises(UserError, match="out/evaluation/judge/0/weights.json is missing; `dvc repro` trains it"):
        load_judge(judge_folder(0))
    save_weights(Path("other"), {"weight": torch.zeros(1)}, {"area": "gan", "name": "sngan"})
    with pytest.raises(UserError, match="other holds area gan, not the digit judge"):
        load_judge(Path("other"))
    code, error = dlcv("evaluate judge train")
    assert code == 1 and error.startswith("dlcv: error: there is no prepared data in data/digits/mnistm")
