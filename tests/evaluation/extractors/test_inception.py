"""FID against pytorch-fid's own command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcv.evaluation.cli import images
from dlcv.evaluation.extractors.names import INCEPTION_FILE
from dlcv.rehearsal import random_inception

pytestmark = pytest.mark.slow  # seconds of networks

Write = Callable[[str, np.ndarray], Path]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of pytorch-fid's InceptionV3, where torch hub and so its own command look for the real ones."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("hub") / "hub" / "checkpoints" / INCEPTION_FILE
    path.parent.mkdir(parents=True)
    torch.save(random_inception(), path)
    return path


def test_fid_is_that_of_pytorch_fids_own_command(
    faces: tuple[np.ndarray, np.ndarray], weights: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    blotches = rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    generated, real = write("generated", blotches), write("real", faces[0][:14])
    command = [sys.executable, "-m", "pytorch_fid", str(generated), str(real), "--device", "cpu", "--num-workers", "0"]
    environment = os.environ | {"TORCH_HOME": str(weights.parent.parent.parent), "OMP_NUM_THREADS": "1"}
    theirs = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert theirs.returncode == 0, theirs.stderr
    expected = float(theirs.stdout.split("FID:")[1])
    images([generated], real, extractor="inception", inception_weights=weights, no_faces=True, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert expected > 0.01
    assert answer["scores"]["fid"]["value"] == pytest.approx(expected, rel=1e-3)
    assert answer["protocol"]["extractor"]["name"] == "inception"
