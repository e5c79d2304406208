"""Logged and registered models, in a real sqlite database."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcv.models.registry import register
from dlcv.runtime import tracking
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import sha256
from tests.runtime.conftest import AWAY, client, empty_database, runs_of  # noqa: F401  # a fixture among them

pytestmark = pytest.mark.slow


@pytest.fixture
def tracked(trained: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """The study with trainings and an empty database."""
    monkeypatch.delenv("DLCV_TRACKING")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_database, trained / "mlflow.db")
    return trained


def best() -> dict[str, tuple[str, str]]:
    """By registered name: the version and the training that `register` chose."""
    return {
        one.name: (one.version, f"{one.candidate.about['area']}/{one.candidate.about['name']}")
        for one in register(load())
    }


def test_the_best_of_each_problem_is_chosen_without_training_images_and_target_labels(tracked: Path) -> None:
    chosen = {
        "dlcv-gan": ("1", "gan/sngan-0"),  # DCGAN is nearer to the training images
        "dlcv-vae": ("1", "vae/vae-0"),
        "dlcv-ddim": ("1", "ddim/unet-0"),
        "dlcv-diffusion": ("1", "diffusion/context-unet-0"),
        "dlcv-judge": ("1", "evaluation/judge/0"),
        "dlcv-adaptation-usps-mnistm": ("1", "adaptation/usps-mnistm/dann-0"),  # less accurate on the target
    }
    assert best() == chosen
    version = client(tracked).get_model_version_by_alias("dlcv-adaptation-usps-mnistm", "best")
    assert version.tags["training"] == "adaptation/usps-mnistm/dann-0"
    assert version.tags["chosen_by"] == "information" and float(version.tags["information"]) == 1.9
    assert float(version.tags["accuracy"]) == 0.25
    assert version.tags["weights.sha256"] == sha256(tracked / "out/adaptation/usps-mnistm/dann-0/weights.safetensors")
    # Each training is a logged model in its own row, which has ended.
    for area, count in {"gan": 2, "vae": 1, "ddim": 1, "diffusion": 1, "adaptation": 2, "evaluation": 1}.items():
        runs = runs_of(tracked, area)
        models = client(tracked).search_logged_models([runs[0].info.experiment_id])
        assert {model.source_run_id for model in models} == {run.info.run_id for run in runs}
        assert len(models) == count and all(run.info.status == "FINISHED" for run in runs)
        assert all(model.metrics and model.params["seed"] == "0" for model in models)
    # Again: nothing new.
    assert best() == chosen
    assert len(client(tracked).search_logged_models([runs_of(tracked, "gan")[0].info.experiment_id])) == 2
    assert [path.name for path in tracked.iterdir() if path.name.startswith("dlcv-")] == []


def test_weights_that_are_trained_again_become_a_new_version(tracked: Path) -> None:
    for name in ("vae/vae-0", "ddim/unet-0", "diffusion/context-unet-0", "evaluation/judge/0", "gan/dcgan-0"):
        shutil.rmtree(Path("out") / name)
    shutil.rmtree("out/adaptation")
    assert best() == {"dlcv-gan": ("1", "gan/sngan-0")}
    file = tracked / "out/gan/sngan-0/weights.json"
    weights = file.with_suffix(".safetensors")
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    changed = {**json.loads(file.read_text()), "sha256": sha256(weights)}
    file.write_text(json.dumps(changed))
    assert best() == {}  # not evaluated
    scores = tracked / "out/gan/sngan-0-evaluation/scores.json"
    evaluation: dict[str, Any] = json.loads(scores.read_text())
    evaluation["training"]["sha256"] = changed["sha256"]
    scores.write_text(json.dumps(evaluation))
    assert best() == {"dlcv-gan": ("2", "gan/sngan-0")}
    assert client(tracked).get_model_version_by_alias("dlcv-gan", "best").version == 2


def test_a_training_that_was_tracked_keeps_its_row_and_its_scores(tracked: Path) -> None:
    about = json.loads(Path("out/vae/vae-0/weights.json").read_text())
    with tracking.run("vae-0", area="vae", params={"seed": 0}) as run:
        run.log({"loss": 1.0}, 1)
        run.scores({"validation.mse": 0.04})
        run.set_tags({"weights.sha256": about["sha256"]})
    before = runs_of(tracked, "vae")[0]
    best()
    (after,) = runs_of(tracked, "vae")
    assert after.info.run_id == run.id and after.info.end_time == before.info.end_time
    assert after.data.metrics == before.data.metrics
    assert len(client(tracked).get_metric_history(run.id, "validation.mse")) == 1
    (model,) = client(tracked).search_logged_models([after.info.experiment_id])
    assert {metric.key for metric in model.metrics} == {"validation.mse"}  # no point of a curve


def test_a_server_that_is_away_is_one_line(tracked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)
    with pytest.raises(UserError, match="MLflow at http://127.0.0.1:9 did not find the model of sngan-0|dcgan-0"):
        best()


def test_a_process_without_dlcv_loads_the_models(tracked: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    best()
    code = f"""
import sys
import mlflow, numpy, pandas
mlflow.set_tracking_uri("sqlite:///{tracked / "mlflow.db"}")
mlflow.set_registry_uri("sqlite:///{tracked / "mlflow.db"}")
faces = mlflow.pyfunc.load_model("models:/dlcv-gan@best")
assert faces.metadata.signature.inputs.input_names() == ["count", "seed"]
print(faces.predict(faces.input_example).shape, faces.predict(pandas.DataFrame({{"count": [1]}})).dtype)
digits = mlflow.pyfunc.load_model("models:/dlcv-diffusion@best")
print(digits.predict(pandas.DataFrame({{"digit": [7], "count": [2]}}), params={{"steps": 2}}).shape)
reader = mlflow.pyfunc.load_model("models:/dlcv-adaptation-usps-mnistm@best")
print(reader.predict(reader.input_example).shape, reader.input_example.sum())
print(sys.modules["dlcv"].__file__)
"""
    place = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run([sys.executable, "-c", code], cwd=place, env={}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    faces, digits, read, file = done.stdout.splitlines()
    assert (faces, digits) == ("(4, 64, 64, 3) uint8", "(2, 28, 28, 3)")
    assert read == f"(4,) {np.load('data/digits/mnistm/val_images.npy')[:4].sum()}"
    assert Path(file).is_relative_to(tracked / "mlartifacts")
