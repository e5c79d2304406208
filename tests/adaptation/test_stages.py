"""The stages as the pipeline runs them, on small made data: resume after SIGKILL, scores, figures."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dlcv.adaptation import evaluate, train
from dlcv.errors import UserError
from dlcv.files import read_json
from dlcv.params import load

REPOSITORY = Path(__file__).parent.parent.parent
SMALL = {"adaptation.training.steps": 40, "adaptation.training.batch_size": 16, "adaptation.tsne.pictures": 20}
SMALL |= {"adaptation.tsne.perplexity": 5}


def test_killed_with_sigkill_and_run_again_equals_an_uninterrupted_run(domains: Path, set_params: Any) -> None:
    set_params({**SMALL, "adaptation.training.steps": 900})
    command = [sys.executable, "-m", "dlcv", "adaptation", "train", "dann", "mnistm-usps"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    checkpoints = domains / ".checkpoints/adaptation/dann-mnistm-usps"

    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("*/step-*[0-9]")):
        assert process.poll() is None and time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    out = domains / "out/adaptation/dann-mnistm-usps"
    assert not out.exists()
    second = subprocess.run(command, env=environment, check=True, stderr=subprocess.PIPE, text=True)
    assert re.search(r"dann-mnistm-usps: continues from its checkpoint at step \d+00 of 900", second.stderr)
    resumed = {path.name: path.read_bytes() for path in out.iterdir()}
    assert not list(checkpoints.glob("*/*"))  # success removes them

    subprocess.run(command, env=environment, check=True)
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(whole) == ["curve.csv", "weights.json", "weights.safetensors"]
    assert resumed == whole


def test_evaluation_scores_every_row_and_draws_the_figures(domains: Path, set_params: Any) -> None:
    set_params(SMALL)
    params = load()
    for domain in ("mnistm", "usps"):
        train.run("supervised", domain, params)
    train.run("dann", "mnistm-usps", params)
    path = evaluate.run("mnistm-usps", params)
    scores = read_json(path)
    assert list(scores["rows"]) == ["trained_on_source", "dann", "trained_on_target"]
    for row in scores["rows"].values():
        assert row["interval"]["low"] <= row["accuracy"] <= row["interval"]["high"]
        assert sum(map(sum, row["confusion"])) == 40
        assert 0 <= row["proxy_a_distance"] <= 2
    assert "gain" not in scores["rows"]["trained_on_source"]
    assert [row for row, values in scores["rows"].items() if "domain_accuracy" in values] == ["dann"]
    out = domains / "out/adaptation/mnistm-usps"
    assert sorted(p.name for p in out.iterdir()) == ["confusion.png", "curve.png", "tsne-class.png", "tsne-domain.png"]
    for picture in out.iterdir():
        assert min(Image.open(picture).size) > 200

    before = path.read_bytes(), (out / "tsne-class.png").read_bytes()
    evaluate.run("mnistm-usps", params)
    assert before == (path.read_bytes(), (out / "tsne-class.png").read_bytes())

    weights = domains / "out/adaptation/dann-mnistm-usps/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(UserError, match="is not the file that"):
        evaluate.run("mnistm-usps", params)
    assert path.read_bytes() == before[0]


def test_a_batch_larger_than_the_set_is_the_whole_set(domains: Path, set_params: Any) -> None:
    set_params({**SMALL, "adaptation.training.steps": 2, "adaptation.training.batch_size": 1000})
    assert (train.run("supervised", "usps", load()) / "weights.json").is_file()
