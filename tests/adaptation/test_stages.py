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

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dlcv.adaptation import benchmark, evaluate, predict, train
from dlcv.adaptation.config import CEILING, METHODS
from dlcv.adaptation.methods import gta, selftraining
from dlcv.adaptation.methods.common import adapt_statistics
from dlcv.adaptation.scores import accuracy_by_target_statistics, evaluated, label_of
from dlcv.adaptation.trainings import Task, load_domain, variants_of
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

REPOSITORY = Path(__file__).parent.parent.parent
SMALL = {"adaptation.training.steps": 40, "adaptation.training.batch_size": 16, "adaptation.tsne.images": 20}
SMALL |= {"adaptation.tsne.perplexity": 5, "adaptation.comparison.networks": []}
SMALL |= {"adaptation.comparison.updates": ["alternating", "paper"], "adaptation.comparison.baselines": ["lenet"]}
SMALL |= {"adaptation.comparison.scenarios": ["mnistm-usps"], "adaptation.comparison.sources": ["mnistm"]}
SMALL |= {"adaptation.comparison.steps": 2, "ceiling.steps": 4}
SMALL |= {"gta.steps": 2, "gta.width": 0.0625, "gta.noise": 8, "selftraining.steps": 4}
SMALL |= {"adaptation.methods.gta": ["mnistm-usps"], "adaptation.methods.selftraining": ["mnistm-usps"]}
SMALL |= {"adaptation.baselines.selftraining": ["mnistm"]}
FIGURES = ["tsne-class.png", "tsne-domain.png", "confusion.png", "inputs.png"]
FIGURES += ["curve-dann.png", "curve-gta.png", "examples-gta.png", "curve-selftraining.png"]
CLASSES_OF = {"gta": gta.GTA, "selftraining": selftraining.SelfTraining}


def test_killed_with_sigkill_and_run_again_equals_an_uninterrupted_run(domains: Path, set_params: Any) -> None:
    set_params({**SMALL, "adaptation.training.steps": 300})
    command = [sys.executable, "-m", "dlcv", "adaptation", "train", "dann", "mnistm-usps"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    checkpoints = domains / ".checkpoints/adaptation/mnistm-usps/dann-0"

    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("*/step-*[0-9]")):
        assert process.poll() is None and time.monotonic() < deadline, "no checkpoint appeared"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    out = domains / "out/adaptation/mnistm-usps/dann-0"
    assert not out.exists()
    second = subprocess.run(command, env=environment, check=True, stderr=subprocess.PIPE, text=True)
    assert re.search(r"mnistm-usps/dann-0: continues from its checkpoint at step \d+00 of 300", second.stderr)
    resumed = {path.name: path.read_bytes() for path in out.iterdir()}
    assert not list(checkpoints.glob("*/*"))  # success removes them

    subprocess.run(command, env=environment, check=True)
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(whole) == ["curve.csv", "weights.json", "weights.safetensors"]
    assert resumed == whole


@pytest.mark.parametrize("method", ["gta", "selftraining"])
def test_a_killed_training_resumes_from_its_checkpoint_to_the_same_result(
    _often: None, method: str, domains: Path, set_params: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params({**SMALL, f"{method}.steps": 12})
    task = Task(method, "mnistm-usps", 0)
    whole = {path.name: path.read_bytes() for path in train.run(task, load()).iterdir()}

    real, done = CLASSES_OF[method].step, []

    def dying(self: Any, *arguments: Any) -> Any:
        done.append(None)
        if len(done) == 11:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(CLASSES_OF[method], "step", dying)
    with pytest.raises(KeyboardInterrupt):
        train.run(task, load())
    assert {path.name: path.read_bytes() for path in train.run(task, load()).iterdir()} == whole
    assert len(done) == 11 + 4  # from step 8 on


def test_evaluation_scores_every_row_and_draws_the_figures(domains: Path, set_params: Any) -> None:
    set_params({**SMALL, "adaptation.seeds": [0, 3]})
    params = load()
    for seed in (0, 3):
        for method in METHODS:
            name = "mnistm-usps" if METHODS[method].on == "scenario" else "usps" if method == CEILING else "mnistm"
            train.run(Task(method, name, seed), params)
    train_variants()
    path = evaluate.run("mnistm-usps", params)
    scores = read_json(path)
    rows = scores["rows"]
    brought = ["gta_source", "gta", "selftraining_source", "selftraining"]
    assert list(rows) == ["trained_on_source", "dann", *brought, "trained_on_target"]
    known = [training["fingerprint"] for row in rows.values() for training in row["trainings"]]
    assert len(set(known)) == 14
    for row in rows.values():
        assert row["interval"]["low"] <= row["accuracy"] <= row["interval"]["high"]
        assert sum(map(sum, row["confusion"])) == 80 and list(row["seeds"]) == ["0", "3"]
        assert 0 <= row["proxy_a_distance"] <= 2
    assert [row for row, values in rows.items() if "gain" not in values] == [
        "trained_on_source",
        "gta_source",
        "selftraining_source",
        "trained_on_target",
    ]
    assert [row for row, values in rows.items() if "accuracy_by_target_statistics" in values] == ["selftraining_source"]
    for row, base in {"dann": "trained_on_source", "gta": "gta_source", "selftraining": "selftraining_source"}.items():
        gained = rows[row]["accuracy"] - rows[base]["accuracy"]
        assert rows[row]["gain"]["over_trained_on_source"] == pytest.approx(gained)
    assert [row for row, values in rows.items() if "domain_accuracy" in values] == ["dann"]
    assert [row for row, values in rows.items() if values["adapts"]] == ["dann", "gta", "selftraining"]
    assert [values["label"] for values in rows.values()] == [
        "source-only",
        "DANN + information maximisation",
        "source-only, as Generate To Adapt",
        "Generate To Adapt",
        "source-only, as self-training",
        "self-training",
        "trained on target",
    ]
    assert (rows["dann"]["network"], rows["gta"]["network"], rows["selftraining"]["network"]) == (
        "lenet",
        "gta",
        "compact",
    )
    assert scores["choice"]["tried"] == 12
    # The variants and their common baseline, too, but not the trainings on labels of the target.
    ranked = scores["validators"]
    assert ranked["candidates"] == len(ranked["values"]) == 12 + 3
    assert not any("ceiling" in training for training in ranked["values"])
    stored, accuracies = benchmark.read(domains / "out/adaptation/mnistm-usps-evaluation/seen")
    assert benchmark.rank(stored, accuracies) == ranked
    for training, seen in stored.items():
        network, _ = predict.load(domains / "out/adaptation" / training)
        expected = predict.predict(network, load_domain("usps", "train").images)
        assert np.array_equal(seen.target_logits, expected.logits)
        assert np.array_equal(seen.target_features, expected.features)
        on_validation = predict.predict(network, load_domain("usps", "val").images).digits
        assert accuracies[training] == (on_validation == load_domain("usps", "val").labels).mean()
    shared = scores["choice"]["candidates"]["mnistm-usps/dann-0"]
    assert {key: ranked["values"]["mnistm-usps/dann-0"][key] for key in shared} == shared
    assert list(scores["variants"]["variants"]) == ["alternating", "paper"]
    for who, score in (("chosen", "information"), ("oracle", "accuracy")):
        candidates = scores["choice"]["candidates"]
        best = max(candidate[score] for candidate in candidates.values())
        assert candidates[scores["choice"][who]["training"]][score] == best
    out = domains / "out/adaptation/mnistm-usps-evaluation"
    assert sorted(path.name for path in out.glob("*.png")) == sorted(FIGURES)
    headlines = read_json(out / "headline.json")
    assert headlines["adaptation/mnistm-usps/dann"]["accuracy"]["value"] == rows["dann"]["accuracy"]
    assert [one["seed"] for one in headlines["adaptation/mnistm-usps/dann-paper"]["accuracy"]["trainings"]] == [0]
    assert len(list((domains / "metrics/adaptation/mnistm-usps").iterdir())) == len(rows) + 2
    for figure in FIGURES:
        assert min(Image.open(out / figure).size) > 100
    listing = read_json(out / "figures.json")
    assert [figure["file"] for figure in listing["figures"]] == FIGURES
    assert all(figure["caption"].endswith(".") for figure in listing["figures"])
    first = rows["trained_on_source"]["trainings"][0]["fingerprint"]
    assert listing["of"].startswith(f"Stage `evaluate@mnistm-usps`, trainings `mnistm/supervised-0` `{first[:12]}`, ")

    table = pd.read_csv(out / "accuracy.csv")
    assert list(table["trained_by"]) == [row["label"] for row in rows.values()]
    assert table["accuracy"].to_list() == pytest.approx([row["accuracy"] for row in rows.values()], abs=1e-6)

    repeated = ("tsne-class.png", "examples-gta.png", "seen/mnistm-usps/dann-0.npz")
    before = path.read_bytes(), *((out / name).read_bytes() for name in repeated)
    evaluate.run("mnistm-usps", params)
    assert before == (path.read_bytes(), *((out / name).read_bytes() for name in repeated))

    # The choice without labels does not depend on the labels of the target.
    labels = domains / "data/digits/usps/val_labels.npy"
    np.save(labels, np.roll(np.load(labels), 1))
    evaluate.run("mnistm-usps", params)
    again = read_json(path)["choice"]
    assert again["chosen"]["training"] == scores["choice"]["chosen"]["training"]
    for name, values in read_json(path)["validators"]["scores"].items():
        assert values["chosen"] == ranked["scores"][name]["chosen"]
    for name, values in again["candidates"].items():
        known = scores["choice"]["candidates"][name]
        assert all(values[key] == known[key] for key in ("information", "entropy", "source_accuracy"))

    before_damage = path.read_bytes()
    weights = domains / "out/adaptation/mnistm-usps/dann-0/weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(UserError, match="is not the file that"):
        evaluate.run("mnistm-usps", params)
    assert path.read_bytes() == before_damage


def test_self_training_is_evaluated_on_each_domain_with_its_statistics(domains: Path, set_params: Any) -> None:
    set_params(SMALL)
    folder = train.run(Task("selftraining", "mnistm-usps", 0), load())
    assert read_json(folder / "weights.json")["statistics"] == "domain"
    source, target = (load_domain(name, "val") for name in ("mnistm", "usps"))
    network, _ = predict.load(folder)  # it has the statistics of the target
    result = evaluated(folder, source, target)
    assert np.array_equal(result.target.logits, predict.predict(network, target.images).logits)
    assert not np.array_equal(result.source.logits, predict.predict(network, source.images).logits)
    adapt_statistics(network, load_domain("mnistm", "train").images)
    assert np.array_equal(result.source.logits, predict.predict(network, source.images).logits)


@pytest.mark.parametrize(
    ("task", "reads", "stage"),
    [
        (Task("dann", "mnistm-usps", 5), ["mnistm", "usps"], "dann@mnistm-usps-5"),
        (Task("gta_source", "mnistm-usps", 5), ["mnistm"], "gta_source@mnistm-usps-5"),
        (Task("selftraining_source", "mnistm", 5), ["mnistm"], "selftraining_source@mnistm-5"),
    ],
)
def test_a_training_records_its_inputs(
    task: Task, reads: list[str], stage: str, domains: Path, set_params: Any
) -> None:
    set_params({**SMALL, "adaptation.training.steps": 2})
    about = read_json(train.run(task, load()) / "weights.json")
    assert (about["params"]["seed"], list(about["data"])) == (5, reads)
    assert about["stage"] == f"stages/adaptation/dvc.yaml:{stage}"
    assert label_of(about).startswith(METHODS[task.method].label)


def test_adabn_changes_only_the_statistics_of_the_baseline(domains: Path, set_params: Any) -> None:
    set_params(SMALL)
    folder = train.run(Task("selftraining_source", "mnistm", 0), load())
    target = load_domain("usps", "val")
    network, about = predict.load(folder)
    assert about["statistics"] is None
    plain = predict.predict(network, target.images).logits
    adapt_statistics(network, load_domain("usps", "train").images)
    adapted = predict.predict(network, target.images)
    assert not np.array_equal(plain, adapted.logits)
    assert accuracy_by_target_statistics(folder, target) == (adapted.digits == target.labels).mean()


def train_variants() -> None:
    """Train the variants, and their source-only baselines."""
    params = load()
    pairs = [pair for pairs in variants_of("mnistm-usps", params).values() for pair in pairs]
    for task in {task for pair in pairs for task in pair}:
        train.run(task, params)


def test_variants_are_trained_and_compared(domains: Path, set_params: Any) -> None:
    set_params({**SMALL, "adaptation.comparison.seeds": [0, 3]})
    train_variants()
    about = read_json(domains / "out/adaptation/mnistm-usps/variants/alternating-3/weights.json")
    assert about["name"] == "mnistm-usps/variants/alternating-3" and about["params"]["seed"] == 3
    assert about["stage"] == "stages/adaptation/dvc.yaml:update@alternating-mnistm-usps-3"
    assert about["params"]["dann"]["update"] == "alternating" and about["params"]["training"]["steps"] == 2
    baseline = read_json(domains / "out/adaptation/mnistm/variants/lenet-3/weights.json")
    assert baseline["stage"] == "stages/adaptation/dvc.yaml:baseline@lenet-mnistm-3"
    source, target = load_domain("mnistm", "val"), load_domain("usps", "val")
    networks = evaluate.variant_networks("mnistm-usps", source, target, load())
    scores = evaluate.compare("mnistm-usps", networks, source, target, load())
    assert (scores["steps"], scores["seeds"]) == (2, [0, 3])
    values = scores["variants"]["alternating"]
    assert values["label"] == "DANN (alternating)"
    assert values["settings"] == {"network": "lenet", "lambda": 1.0, "update": "alternating", "information": 0.0}
    assert {"trained_on_source", "dann", "gain", "parameters"} <= set(values)
    for variant, both in scores["variants"].items():
        names = [training["name"] for training in both["trainings"]]
        trained = [f"mnistm-usps/variants/{variant}-{seed}" for seed in (0, 3)]
        assert names == ["mnistm/variants/lenet-0", "mnistm/variants/lenet-3", *trained]
        assert len({training["sha256"] for training in both["trainings"]}) == 4
        accuracies = both["dann"]["seeds"]
        assert list(accuracies) == ["0", "3"] and both["dann"]["accuracy"] == np.mean(list(accuracies.values()))
        # Each training's own accuracy goes to its MLflow run.
        each = [accuracy for row in ("trained_on_source", "dann") for accuracy in both[row]["seeds"].values()]
        logged = evaluate.published({"rows": {}, "variants": {"variants": {variant: both}}}, "mnistm-usps", [])
        assert list(logged) == [(training, own, []) for training, own in zip(both["trainings"], each, strict=True)]
    assert scores["choice"]["tried"] == 6  # one source-only training of each seed for both variants


def test_a_batch_larger_than_the_set_is_the_whole_set(domains: Path, set_params: Any) -> None:
    set_params({**SMALL, "adaptation.training.steps": 2, "adaptation.training.batch_size": 1000})
    assert (train.run(Task("supervised", "usps", 0), load()) / "weights.json").is_file()
