"""A full disk under a training, under DVC's cache, and under the tracking database."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dlcv.runtime.errors import UserError
from dlcv.runtime.reproduce import reproduce
from dlcv.runtime.stages import read_pipeline
from tests.chaos.full_disk import CAN_MOUNT, disk, grow

REPOSITORY = Path(__file__).parent.parent.parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CAN_MOUNT, reason="needs the right to mount a disk"),
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),
]


def test_a_training_on_disks_of_every_size() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.full_disk"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sizes = re.search(r"(\d+) full disks, 0 wrong", done.stdout)
    assert sizes is not None and int(sizes[1]) > 5


def test_dvcs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    make = f"{sys.executable} -c \"open('made', 'wb').write(bytes(300_000))\""
    YAML().dump({"stages": {"make": {"cmd": make, "outs": ["made"]}}}, Path("dvc.yaml"))
    with disk(64) as cache:
        os.chdir(tmp_path)
        subprocess.run([sys.executable, "-m", "dvc", "cache", "dir", "--quiet", str(cache)], check=True)
        with pytest.raises(UserError, match="stage make failed"):
            reproduce(1)
        assert "No space left on device" in capfd.readouterr().out
        grow(cache)
        reproduce(1)
        assert Path("made").stat().st_size == 300_000 and not read_pipeline().changed
        kept = [file for file in cache.rglob("*") if file.is_file()]
        assert [file.stat().st_size for file in kept if "tmp" not in file.name] == [300_000]


TRACKED = """
import os
from pathlib import Path
from dlcv.runtime import tracking
with tracking.run("name", area="area", params={"a": 1}, tags={}, datasets=[], resume=None) as run:
    for step in range(400):
        run.log({f"value{index}": float(step) for index in range(20)}, step)
print("trained")
"""


def test_the_tracking_database(tmp_path: Path) -> None:
    """The training goes on, and its points are in the database once, when there is room."""
    with disk(64) as small:
        environment = {
            **os.environ,
            "MLFLOW_TRACKING_URI": f"sqlite:///{small}/mlflow.db",
            "PYTHONPATH": str(REPOSITORY),
        }
        environment.pop("DLCV_TRACKING", None)
        done = subprocess.run(
            [sys.executable, "-c", TRACKED], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0 and done.stdout.endswith("trained\n"), done.stderr
        assert "Traceback" not in done.stderr
        grow(small)
        sent = subprocess.run(
            [sys.executable, "-m", "dlcv", "tracking", "import", "mlruns-offline"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert sent.returncode == 0, sent.stderr
        count = "import mlflow; client = mlflow.MlflowClient(); run, = mlflow.search_runs(search_all_experiments=True, "
        count += "output_format='list'); print(len(client.get_metric_history(run.info.run_id, 'value0')))"
        counted = subprocess.run(
            [sys.executable, "-c", count], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert counted.stdout.strip() == "400", counted.stdout + counted.stderr + done.stderr
