"""The stage `evaluate` on a small training: scores, protocol, curves, figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.torch import load_file

from dlcv.data.latents import normal
from dlcv.data.prepared import load_split
from dlcv.engine import training as stage
from dlcv.engine.loop import train as loop
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor
from dlcv.evaluation.metrics.trainings import new_training, variance_of
from dlcv.evaluation.reference import of_prepared, save_reference
from dlcv.evaluation.scores import score
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json
from dlcv.vae import evaluate, figures, prior, summary, train
from dlcv.vae.codes import decode, encode, load_autoencoder
from tests.conftest import files
from tests.vae.conftest import COUNTS, LATENT, SMALL, write_faces

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations

OUT = Path("out/vae/vae-0")
REAL_MAP = figures.tsne.fit
DISTANCE = "frechet_efficientnet_lite0"
FIGURES = ["curve", "interpolation", "neighbours", "reconstructions", "samples", "samples-fitted", "tsne"]


@pytest.fixture
def ready(study: Path, set_params: Any, extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that trains on faces with an attribute and makes their reference."""
    monkeypatch.setattr(stage, "train", partial(loop, log_every=2))
    monkeypatch.setattr(evaluate, "load_extractor", lambda *_: extractor)
    # t-SNE takes seconds; one test uses it.
    monkeypatch.setattr(figures.tsne, "fit", lambda features, perplexity, seed: features[:, :2])
    set_params(SMALL)

    def ready_(label: str | None = "Male") -> Path:
        write_faces(study, label)
        save_reference(Path("out/evaluation/faces"), of_prepared(Path("data/faces"), extractor))
        train.run(load())
        return study

    return ready_


def test_scores_are_of_the_right_images_and_have_their_protocol(ready: Any, extractor: Extractor) -> None:
    ready()
    folder = evaluate.run(load())
    written = read_json(folder / "scores.json")
    assert folder == Path("out/vae/vae-0-evaluation")
    values, params = written["scores"], load()
    network, about = load_autoencoder(OUT)
    faces = {split: load_split(Path("data/faces"), split) for split in ("train", "val")}  # type: ignore[arg-type]
    codes = {split: encode(network, part.images) for split, part in faces.items()}
    for name, split in (("validation", "val"), ("training", "train")):
        assert values[name]["mse"] == pytest.approx(codes[split].error.mean(), rel=1e-6)
        assert values[name]["kl"] == pytest.approx(codes[split].kl.mean(), rel=1e-6)
    assert values["validation"]["mse"] != values["training"]["mse"]
    assert (
        values["pca"]["components"] == LATENT and values["pca"]["training"]["mse"] < values["pca"]["validation"]["mse"]
    )
    # The samples are drawn from the prior with the seed, and scored as those of every model.
    samples = decode(network, normal(30, (LATENT,), seed=0))
    reference = evaluate.load_reference(Path("out/evaluation/faces"))
    assert values["samples"] == score(samples, reference, params[Evaluation], 0, extractor)
    fitted = prior.load(folder, LATENT)
    of_fitted = decode(network, fitted(normal(30, (LATENT,), seed=0).numpy()))
    assert values["samples_fitted"] == score(of_fitted, reference, params[Evaluation], 0, extractor)
    assert np.allclose(fitted.mean, codes["train"].means.mean(0), atol=1e-6)
    assert values["probe"]["attribute"] == "Male"
    assert values["probe"]["cross_validated"]["images"] == COUNTS["train"]
    assert values["probe"]["validation"]["images"] == COUNTS["val"]
    assert written["training"]["sha256"] == about["sha256"] and written["weights"] == "last step"
    protocol = written["protocol"]
    assert protocol["images"] == 20 and protocol["reference"]["training"]["count"] == COUNTS["train"]
    assert protocol["reconstruction"]["images"] == {"validation": 24, "training": 40}
    assert protocol["beta"] == 0.12288 and protocol["curve_images"] == 24
    assert protocol["tsne"] == {"images": 20, "perplexity": 4.0}
    assert {"torch", "scikit-learn", "openTSNE"} <= set(protocol["versions"])


def test_the_same_again_is_the_same_bytes(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ready()
    monkeypatch.setattr(figures.tsne, "fit", REAL_MAP)
    folder = evaluate.run(load())
    drawn = files(folder)
    others = ["architecture.json", "curve.json", "interpolation.json", "tsne.json", "tsne-thumbnails.webp"]
    others += ["losses.csv", "figures.json", "scores.json", prior.FILE]
    assert sorted(drawn) == sorted([*(f"{name}.png" for name in FIGURES), *others])
    assert read_json(folder / "architecture.json")["at the report's width"]["autoencoder"]["parameters"] == 6297699
    listed = read_json(folder / "figures.json")
    names = ["curve", "reconstructions", "samples", "samples-fitted", "interpolation", "tsne", "neighbours"]
    assert [figure["file"] for figure in listed["figures"]] == [f"{name}.png" for name in names]
    fingerprint = read_json(OUT / "weights.json")["fingerprint"][:12]
    assert listed["of"] == f"Stage `stages/vae/dvc.yaml:evaluate@0`, training `vae-0` `{fingerprint}`"
    assert files(evaluate.run(load())) == drawn


def test_each_seed_is_a_training_and_the_summary_is_over_all(ready: Any, set_params: Any, dlcv: Any) -> None:
    study = ready()
    evaluate.run(load())
    one = read_json(summary.run(load()))
    first = read_json(study / "out/vae/vae-0-evaluation/scores.json")["scores"]
    set_params({"vae.seeds": [0, 3]})
    missing = "out/vae/vae-3-evaluation/scores.json has no scores; `dvc repro` makes it, `dvc pull` fetches it"
    assert dlcv("vae summary") == (1, f"dlcv: error: {missing}\n")
    for words in ("train --seed 3", "evaluate --seed 3", "summary"):
        assert dlcv(f"vae {words}")[0] == 0
    assert read_json(study / "out/vae/vae-3/weights.json")["params"]["seed"] == 3
    weights = [load_file(study / f"out/vae/vae-{seed}/weights.safetensors") for seed in (0, 3)]
    assert not (weights[0]["fc_mu.weight"] == weights[1]["fc_mu.weight"]).all()
    two = read_json(study / "out/vae-summary/summary.json")
    second = read_json(study / "out/vae/vae-3-evaluation/scores.json")["scores"]
    assert (one["seeds"], two["seeds"]) == ([0], [0, 3])
    for part, name in (("validation", "mse"), ("samples", "coverage")):
        values = first[part][name], second[part][name]
        assert one[part][name] == {"value": values[0]}
        assert two[part][name] == {"value": np.mean(values), "standard_deviation": np.std(values, ddof=1)}
    assert two["active_units"]["value"] == np.mean([first["active_units"], second["active_units"]])
    # From one seed the interval is that of the images; a second training makes it wider.
    assert one["samples"][DISTANCE]["interval"] == first["samples"][DISTANCE]["interval"]
    low, high = two["samples"][DISTANCE]["interval"].values()
    assert low < two["samples"][DISTANCE]["value"] < high
    ends = [scores["samples"][DISTANCE]["interval"] for scores in (first, second)]
    assert high - low > np.mean([end["high"] - end["low"] for end in ends])
    # The probe predicts the same images in each training.
    probes = [scores["probe"]["validation"] for scores in (first, second)]
    variance = float(np.mean([variance_of(*probe["interval"].values()) for probe in probes]))
    _, low, _ = new_training([probe["accuracy"] for probe in probes], variance, same_images=True)
    assert two["probe"]["validation"]["interval"]["low"] == pytest.approx(max(0, low))


def test_both_curves_are_of_the_snapshots_on_each_split(ready: Any) -> None:
    ready()
    table = pd.read_csv(evaluate.run(load()) / "losses.csv")
    assert list(table["step"]) == [4, 8, 12]
    network, _ = load_autoencoder(OUT)
    for row in table.to_dict("records"):
        network.load_state_dict(load_file(OUT / f"snapshots/step-{row['step']:06.0f}.safetensors"))
        for name, split in (("training", "train"), ("validation", "val")):
            codes = encode(network, load_split(Path("data/faces"), split).images[: COUNTS["val"]])  # type: ignore[arg-type]
            assert row[f"{name}_reconstruction"] == pytest.approx(codes.sampled_error.mean(), rel=1e-4)
            assert row[f"{name}_kl"] == pytest.approx(codes.kl.mean(), rel=1e-4)
    # In so few steps the error only falls.
    assert (table["validation_reconstruction"].diff()[1:] < 0).all()


def test_figures_show_what_they_say(ready: Any) -> None:
    ready()
    folder = evaluate.run(load())
    network, _ = load_autoencoder(OUT)
    val = load_split(Path("data/faces"), "val")
    codes = encode(network, val.images)
    drawn = {name: np.asarray(Image.open(folder / f"{name}.png").convert("RGB")) for name in FIGURES}
    # The second sample, at twice its size.
    samples = decode(network, normal(30, (LATENT,), seed=0))
    assert (drawn["samples"][2:130:2, 132:260:2] == samples[1]).all()
    # Ten images above their reconstructions, up to the right edge; the errors below.
    sheet = drawn["reconstructions"]
    row = sheet.shape[0] // 2
    last = slice(sheet.shape[1] - 128, None, 2)
    assert (sheet[0:128:2, last] == val.images[9]).all()
    assert (sheet[row : row + 128 : 2, last] == decode(network, codes.means[:10])[9]).all()
    below = sheet[row + 128 :]
    assert all((below[:, -130 * (index + 1) : -130 * index or None] < 128).any() for index in range(10))
    # From the first image to the next with another attribute; in the middle the mean of both codes.
    sheet = drawn["interpolation"]
    way = sheet[:, sheet.shape[1] - 13 * 130 :]
    assert val.labels is not None
    a, b = evaluate.two_faces(val.labels)
    assert (a, b) == (0, 1) and val.labels[a] != val.labels[b]
    assert (way[0:128:2, 2:130:2] == val.images[a]).all()
    assert (way[0:128:2, 12 * 130 + 2 : 13 * 130 : 2] == val.images[b]).all()
    ends = decode(network, codes.means[[a, b]])
    assert (way[0:128:2, 132:260:2] == ends[0]).all()
    assert (way[0:128:2, 11 * 130 + 2 : 12 * 130 : 2] == ends[1]).all()
    middle = decode(network, (codes.means[[a]] + codes.means[[b]]) / 2)[0].astype(int)
    assert np.abs(way[0:128:2, 6 * 130 + 2 : 7 * 130 : 2] - middle).max() <= 1


@pytest.mark.parametrize(("label", "folds"), [("person", None), (None, None)])
def test_persons_and_faces_without_an_attribute(ready: Any, label: str | None, folds: object) -> None:
    ready(label)
    folder = evaluate.run(load())
    probe = read_json(folder / "scores.json")["scores"]["probe"]
    if label is None:
        assert probe is None
    else:
        # The validation images show other persons, which no probe can predict.
        assert probe["attribute"] == "person" and set(probe) == {"attribute", "cross_validated"}
        assert probe["cross_validated"]["classes"] == 5 and probe["cross_validated"]["chance"] == 0.2
    assert (folder / "tsne.png").is_file()


def test_two_faces_differ_where_they_can() -> None:
    assert evaluate.two_faces(np.array([3, 3, 3, 1, 2])) == (0, 3)
    assert evaluate.two_faces(np.array([3, 3, 3])) == evaluate.two_faces(None) == (0, 1)


def test_too_few_samples_are_refused_and_leave_nothing(ready: Any, set_params: Any) -> None:
    ready()
    set_params({"vae.samples": 19})
    with pytest.raises(UserError, match="there are 19 generated images, but 20 are scored; sample 20"):
        evaluate.run(load())
    assert not Path("out/vae/vae-0-evaluation").exists()


def test_no_weights_and_no_reference_are_one_line(faces: Path, set_params: Any, dlcv: Any, ready: Any) -> None:
    message = "out/vae/vae-0/weights.json is missing; `dvc repro` trains it, `dvc pull` fetches it"
    assert dlcv("vae evaluate") == (1, f"dlcv: error: {message}\n")
    ready()
    (faces / "out/evaluation/faces/reference.json").unlink()
    code, error = dlcv("vae evaluate")
    assert code == 1 and error.count("\n") == 1
    assert "reference.json is missing; make it again with `dvc repro stages/evaluation/dvc.yaml`" in error
