"""Several processes that train together: the same result as one process that sees all their batches, and one result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from dlcv.runtime.devices import ACCELERATE_CPU, VISIBLE
from tests.adaptation.conftest import domains
from tests.engine import processes
from tests.engine.processes import RANKS, Result

__all__ = ["domains"]

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parent.parent.parent
CPU = {VISIBLE: "", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}


def torchrun(words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m` WORDS in two processes, which find each other."""
    command = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node {RANKS} -m {words}"
    # Nothing of an accelerator that a test before has made in this process.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ACCELERATE_")}
    done = subprocess.run(command.split(), env=kept | CPU | environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def of_each_process(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Result]]:
    """What `processes.main` leaves."""
    folder = tmp_path_factory.mktemp("processes")
    torchrun(f"tests.engine.processes {folder}", DVC_ROOT=str(folder), **{ACCELERATE_CPU: "true"})
    return [torch.load(folder / f"{rank}.pt") for rank in range(RANKS)]


@pytest.mark.parametrize("case", [*processes.CASES, "resumed"])
@pytest.mark.usefixtures("study")
def test_two_processes_train_as_one_with_the_batches_of_both(
    case: str, of_each_process: list[dict[str, Result]]
) -> None:
    weights, _ = processes.train("dann" if case == "resumed" else case, range(RANKS), "one")
    for found, _ in (results[case] for results in of_each_process):
        assert found.keys() == weights.keys()
        for name, state in weights.items():
            for key, value in state.items():
                torch.testing.assert_close(found[name][key], value, rtol=0, atol=1e-5, msg=f"{name}.{key}")


def test_two_processes_leave_one_result_and_one_run(domains: Path, set_params: Any) -> None:
    set_params({"adaptation.training.steps": 4, "adaptation.training.batch_size": 16})
    done = torchrun("dlcv adaptation train dann mnistm-usps", DLCV_TRACKING="later")
    assert done.stdout == "out/adaptation/mnistm-usps/dann-0\n"
    (lock,) = (domains / ".checkpoints/adaptation/mnistm-usps/dann-0").iterdir()
    assert "-2xcpu-" in lock.name  # they train together, and not each for itself
    out = domains / "out/adaptation/mnistm-usps/dann-0"
    assert sorted(path.name for path in out.iterdir()) == ["curve.csv", "weights.json", "weights.safetensors"]
    assert list(pd.read_csv(out / "curve.csv")["step"]) == [4]
    assert len(list((domains / "mlruns-offline").glob("*.jsonl"))) == 1
