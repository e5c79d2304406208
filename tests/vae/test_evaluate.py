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

from dlcv.data.prepared import Split, load_split
from dlcv.engine import training as stage
from dlcv.engine.loop import train as loop
from dlcv.evaluation.config import Evaluation
from dlcv.evaluation.extractors.extractor import Extractor
from dlcv.evaluation.reference import of_prepared, save_reference
from dlcv.evaluation.scores import score
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json
from dlcv.vae import evaluate, figures, scores, train
from dlcv.vae.codes import Codes, decode, encode, load_network
from dlcv.vae.networks import latents
from tests.vae.conftest import COUNTS, LATENT, SMALL, write_faces

OUT = Path("out/vae/vae")
REAL_MAP = figures.tsne.fit
FIGURES = ["curve", "interpolation", "neighbours", "reconstructions", "samples", "tsne"]


@pytest.fixture
def ready(study: Path, set_params: Any, extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Trains on faces with the attribute that it is given, and makes their reference."""
    monkeypatch.setattr(stage, "train", partial(loop, log_every=2))
    monkeypatch.setattr(evaluate, "load_extractor", lambda _: extractor)
    # The real map takes seconds; one test draws it.
    monkeypatch.setattr(figures.tsne, "fit", lambda features, perplexity, seed: features[:, :2])
    set_params(SMALL)

    def ready_(label: str | None = "Male") -> Path:
        write_faces(study, label)
        save_reference(Path("out/evaluation/faces"), of_prepared(Path("data/faces"), extractor))
        train.run(load())
        return study

    return ready_


def test_scores_are_of_the_right_images_and_say_how_they_came_about(ready: Any, extractor: Extractor) -> None:
    ready()
    path = evaluate.run(load())
    written = read_json(path)
    assert path == Path("metrics/vae/vae.json")
    values, params = written["scores"], load()
    network, about = load_network(OUT)
    faces = {split: load_split(Path("data/faces"), split) for split in ("train", "val")}  # type: ignore[arg-type]
    codes = {split: encode(network, part.images) for split, part in faces.items()}
    for name, split in (("validation", "val"), ("training", "train")):
        assert values[name]["mse"] == pytest.approx(codes[split].error.mean(), rel=1e-6)
        assert values[name]["kl"] == pytest.approx(codes[split].kl.mean(), rel=1e-6)
    assert values["validation"]["mse"] != values["training"]["mse"]
    # The samples are those of the prior and the seed, scored as every model's are.
    samples = decode(network, latents(30, LATENT, seed=0))
    reference = evaluate.load_reference(Path("out/evaluation/faces"))
    assert values["samples"] == score(samples, reference, params[Evaluation], 0, extractor)
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
    first = evaluate.run(load()).read_bytes()
    folder = Path("out/vae/vae-evaluation")
    drawn = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(drawn) == sorted([*(f"{name}.png" for name in FIGURES), "losses.csv"])
    assert evaluate.run(load()).read_bytes() == first
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == drawn


def test_both_curves_are_of_the_snapshots_on_either_split(ready: Any) -> None:
    ready()
    evaluate.run(load())
    table = pd.read_csv("out/vae/vae-evaluation/losses.csv")
    assert list(table["step"]) == [4, 8, 12]
    network, _ = load_network(OUT)
    for row in table.to_dict("records"):
        network.load_state_dict(load_file(OUT / f"snapshots/step-{row['step']:06.0f}.safetensors"))
        for name, split in (("training", "train"), ("validation", "val")):
            codes = encode(network, load_split(Path("data/faces"), split).images[: COUNTS["val"]])  # type: ignore[arg-type]
            assert row[f"{name}_reconstruction"] == pytest.approx(codes.sampled_error.mean(), rel=1e-4)
            assert row[f"{name}_kl"] == pytest.approx(codes.kl.mean(), rel=1e-4)
    # A training of so few steps only falls.
    assert (table["validation_reconstruction"].diff()[1:] < 0).all()


def test_figures_show_what_they_say(ready: Any) -> None:
    ready()
    evaluate.run(load())
    folder = Path("out/vae/vae-evaluation")
    network, _ = load_network(OUT)
    val = load_split(Path("data/faces"), "val")
    codes = encode(network, val.images)
    drawn = {name: np.asarray(Image.open(folder / f"{name}.png").convert("RGB")) for name in FIGURES}
    # The second sample, at twice its size.
    samples = decode(network, latents(30, LATENT, seed=0))
    assert (drawn["samples"][2:130:2, 132:260:2] == samples[1]).all()
    # Ten images over their reconstructions, the columns ending at the right; a caption below.
    sheet = drawn["reconstructions"]
    assert sheet.shape[0] == 2 * 132 + figures.CAPTION
    last = slice(sheet.shape[1] - 130, sheet.shape[1] - 2, 2)
    assert (sheet[2:130:2, last] == val.images[9]).all()
    assert (sheet[134:262:2, last] == decode(network, codes.means[:10])[9]).all()
    below = sheet[2 * 132 :]
    assert all((below[:, -130 * (index + 1) : -130 * index or None] < 128).any() for index in range(10))
    # From the first image to the next with another attribute; in the middle the mean of both codes.
    way = drawn["interpolation"]
    assert way.shape[1] == 13 * 130 + 2 and val.labels is not None
    a, b = evaluate.two_faces(val.labels)
    assert (a, b) == (0, 1) and val.labels[a] != val.labels[b]
    assert (way[2:130:2, 2:130:2] == val.images[a]).all()
    assert (way[2:130:2, 12 * 130 + 2 : 13 * 130 : 2] == val.images[b]).all()
    ends = decode(network, codes.means[[a, b]])
    assert (way[2:130:2, 132:260:2] == ends[0]).all()
    assert (way[2:130:2, 11 * 130 + 2 : 12 * 130 : 2] == ends[1]).all()
    middle = decode(network, (codes.means[[a]] + codes.means[[b]]) / 2)[0].astype(int)
    assert np.abs(way[2:130:2, 6 * 130 + 2 : 7 * 130 : 2] - middle).max() <= 1


def test_the_captions_are_the_errors_of_their_columns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written: list[tuple[float, str]] = []
    real = figures.ImageDraw.ImageDraw.text

    def text(self: Any, place: tuple[float, float], words: str, **style: Any) -> None:
        written.append((place[0], words))
        real(self, place, words, **style)

    monkeypatch.setattr(figures.ImageDraw.ImageDraw, "text", text)
    images = np.zeros((3, 64, 64, 3), dtype=np.uint8)
    figures.reconstructions(tmp_path / "x.png", images, images, np.array([0.0123, 0.5, 0.00004]))
    captions = [words for _, words in sorted(written) if words.startswith("0.")]
    assert captions == ["0.0123", "0.5000", "0.0000"] and "MSE" in [words for _, words in written]


@pytest.mark.parametrize(("label", "folds"), [("person", None), (None, None)])
def test_persons_and_faces_without_an_attribute(ready: Any, label: str | None, folds: object) -> None:
    ready(label)
    probe = read_json(evaluate.run(load()))["scores"]["probe"]
    if label is None:
        assert probe is None
    else:
        # Validation shows other persons than training, which no probe can name.
        assert probe["attribute"] == "person" and set(probe) == {"attribute", "cross_validated"}
        assert probe["cross_validated"]["classes"] == 5 and probe["cross_validated"]["chance"] == 0.2
    assert (Path("out/vae/vae-evaluation") / "tsne.png").is_file()


def test_the_map_shows_the_ten_most_frequent_and_names_the_attribute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(figures.plots, "scatter", lambda *arguments: seen.append(arguments))
    monkeypatch.setattr(figures.tsne, "fit", lambda features, perplexity, seed: features[:, :2])
    section = load(Path(__file__).parents[2] / "params.yaml")[evaluate.Vae].tsne
    labels = np.repeat(np.arange(100, 112), [5, 1, *[4] * 10])  # 101 is the rarest, then the last of the others
    means = np.stack([labels, np.zeros(len(labels))], axis=1)
    images = np.zeros((len(labels), 2, 2, 3), dtype=np.uint8)
    of_map = figures.latent_map(tmp_path / "x.png", means, images, labels, "person", section, 0)
    (_, maps, groups, names, title, legend) = seen[0]
    assert names == [str(value) for value in (100, *range(102, 111))] and legend == "person"
    assert [names[group] for group in groups] == [str(int(value)) for value in maps["latent means"][:, 0]]
    assert "pixels" in maps and title == "t-SNE of 41 validation images"
    assert of_map == {"images": 41, "perplexity": section.perplexity}
    few = figures.latent_map(tmp_path / "x.png", means[:10], images[:10], None, None, section, 0)
    assert few == {"images": 10, "perplexity": 3.0} and seen[1][3] == ["no attribute is known"]


def codes_of(means: np.ndarray, **changes: np.ndarray) -> Codes:
    values = dict.fromkeys(("kl", "error", "sampled_error"), np.zeros(len(means), dtype=np.float32))
    return Codes(means=means, **(values | changes))


def test_reconstruction_errors_in_both_ranges() -> None:
    errors = np.array([0.01, 0.03], dtype=np.float32)
    codes = codes_of(np.zeros((2, 4)), error=errors, sampled_error=2 * errors, kl=np.array([300.0, 500.0]))
    values = scores.reconstruction(codes)
    expected = {"mse": 0.02, "mse_0_1": 0.005, "mse_sampled": 0.04, "standard_error": 0.01, "kl": 400.0}
    assert values == pytest.approx(expected)
    # In [0, 1] every difference is half as large.
    a, b = np.array([0.0, 255.0]) / 255, np.array([51.0, 102.0]) / 255
    assert ((2 * a - 2 * b) ** 2).mean() / 4 == pytest.approx(((a - b) ** 2).mean())


def test_active_units_are_those_whose_mean_varies() -> None:
    rng = np.random.default_rng(0)
    deviations = np.array([0.0, 0.05, 0.2, 1.0])  # variances 0, 0.0025, 0.04, 1
    means = 5 + deviations * rng.normal(size=(2000, 4))  # a mean that is far from 0 and stays there carries nothing
    assert scores.active_units(means.astype(np.float32)) == 2


def test_the_probe_reads_what_the_means_carry_and_not_more() -> None:
    labels = {"train": np.arange(60) % 2, "val": np.arange(20) % 2}
    faces = {split: Split(np.zeros((len(given), 1, 1, 3)), given) for split, given in labels.items()}
    rng = np.random.default_rng(0)
    noise = {split: rng.normal(size=(len(given), 4)) for split, given in labels.items()}
    told = {split: codes_of(noise[split] + 8 * given[:, None]) for split, given in labels.items()}
    untold = {split: codes_of(noise[split]) for split in labels}
    read, unread = (scores.probe("Male", faces, codes, 0) for codes in (told, untold))
    assert read is not None and unread is not None
    assert read["cross_validated"]["accuracy"] == read["validation"]["accuracy"] == 1.0
    assert unread["cross_validated"]["accuracy"] < 0.75
    assert scores.probe(None, faces, told, 0) is None


def test_two_faces_differ_where_they_can() -> None:
    assert evaluate.two_faces(np.array([3, 3, 3, 1, 2])) == (0, 3)
    assert evaluate.two_faces(np.array([3, 3, 3])) == evaluate.two_faces(None) == (0, 1)


def test_too_few_samples_are_refused_and_leave_nothing(ready: Any, set_params: Any) -> None:
    ready()
    set_params({"vae.samples": 19})
    with pytest.raises(UserError, match="there are 19 generated images, but 20 are scored; sample 20"):
        evaluate.run(load())
    assert not Path("metrics/vae").exists() and not Path("out/vae/vae-evaluation").exists()


def test_no_weights_and_no_reference_are_one_line(faces: Path, set_params: Any, dlcv: Any, ready: Any) -> None:
    message = "out/vae/vae/weights.json is missing; `dvc repro` trains it, `dvc pull` fetches it"
    assert dlcv("vae evaluate") == (1, f"dlcv: error: {message}\n")
    ready()
    (faces / "out/evaluation/faces/reference.json").unlink()
    code, error = dlcv("vae evaluate")
    assert code == 1 and error.count("\n") == 1
    assert "reference.json is missing; `dvc repro stages/evaluation/dvc.yaml` makes it" in error
