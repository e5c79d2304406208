"""The evaluation of faces with a small extractor: the cells of the table, the files, and the order of the distances."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlcv.data.latents import normal
from dlcv.data.prepared import load_split
from dlcv.diffusion import evaluate_faces, sample_faces, summary
from dlcv.diffusion.config import FACES_REFERENCE, Ddim
from dlcv.diffusion.faces import SHAPE, generate, load_model
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.reference import of_images, save_reference
from dlcv.runtime.config import load
from dlcv.runtime.files import read_json
from tests.conftest import files
from tests.diffusion.conftest import Means

pytestmark = pytest.mark.slow  # whole trainings, samplings or evaluations


@pytest.fixture
def evaluated(faces: Path, trained_faces: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The scores of a network that was never trained."""
    extractor: Any = Means()
    monkeypatch.setattr(evaluate_faces, "load_extractor", lambda *_: extractor)
    train, val = (np.array(load_split(Path("data/faces"), split).images) for split in ("train", "val"))
    save_reference(FACES_REFERENCE, of_images("faces", train, val, extractor))
    sample_faces.run(load())
    folder = evaluate_faces.run(load())
    assert folder == Path("out/ddim/unet-0-evaluation")
    scores: dict[str, Any] = read_json(folder / "scores.json")
    return scores


def test_the_table_has_a_cell_for_every_sampler_and_real_images_of_the_same_number(
    evaluated: dict[str, Any],
) -> None:
    section, extractor = load()[Ddim], Means()
    table = evaluated["table"]
    assert list(table) == ["eta 0", "eta 1", "sigma-hat", "real"]
    assert evaluated["rows"] == ["eta 0", "eta 1", "sigma-hat"]
    cells = {(row, steps): table[row][steps] for row in ("eta 0", "eta 1", "sigma-hat") for steps in ("2", "3")}
    assert all(cell["evaluations"] == int(steps) for (_, steps), cell in cells.items())
    assert len({cell["distance"] for cell in cells.values()}) == 6
    # One cell computed here: the same noise, the spacing of the table.
    sampling = section.sampling.model_copy(update={"steps": 3, "eta": 0.0, "spacing": "uniform"})
    drawn = generate(load_model(Path("out/ddim/unet-0")), normal(6, SHAPE, 0), [0] * 6, sampling)
    reference = frechet.statistics(extractor(load_split(Path("data/faces"), "train").images))
    images = evaluate_faces.to_uint8(drawn).numpy()
    by_hand = frechet.distance(frechet.statistics(extractor(images)), reference)
    assert table["eta 0"]["3"]["distance"] == pytest.approx(by_hand, rel=1e-4)
    real = extractor(load_split(Path("data/faces"), "val").images[:6])
    assert table["real"]["distance"] == pytest.approx(frechet.distance(frechet.statistics(real), reference), rel=1e-6)
    assert table["real"]["distance"] < min(cell["distance"] for cell in cells.values())


def test_scores_protocol_and_figures_are_written(evaluated: dict[str, Any]) -> None:
    assert evaluated["scores"]["frechet_means"]["value"] > 0 and "face_score" in evaluated["scores"]
    protocol = evaluated["protocol"]
    assert protocol["images"] == 8 and protocol["table_images"] == 6
    assert protocol["network_evaluations_per_image"] == 3
    assert protocol["sampler"]["spacing"] == "uniform+1" and protocol["sampler"]["steps"] == 3
    assert (
        evaluated["interpolation"]["linear"]["smallest_norm"] < evaluated["interpolation"]["spherical"]["smallest_norm"]
    )
    assert evaluated["training"]["fingerprint"] == "f" * 64
    order = evaluate_faces.deviations_from_paper(evaluated["table"], ["eta 0", "eta 1"], ["2", "3"])
    assert evaluated["order"] == order
    folder = Path("out/ddim/unet-0-evaluation")
    figures = ["curve.png", "neighbours.png", "table.png"]
    others = ["architecture.json", "curve.json", "figures.json", "scores.json", "table.csv", "table.json"]
    assert sorted(files(folder)) == sorted([*figures, *others])
    prints = read_json(folder / "architecture.json")
    assert prints["at the report's width"]["network"]["parameters"] == 78700803
    listed = read_json(folder / "figures.json")
    assert [figure["file"] for figure in listed["figures"]] == list(evaluate_faces.CAPTIONS)
    assert sorted(evaluate_faces.CAPTIONS) == figures
    assert listed["of"] == "Stage `stages/ddim/dvc.yaml:evaluate@0`, training `unet-0` `ffffffffffff`"
    table = pd.read_csv(folder / "table.csv")
    assert list(table["row"]) == ["eta 0"] * 2 + ["eta 1"] * 2 + ["sigma-hat"] * 2
    assert list(table["evaluations"]) == [2, 3, 2, 3, 2, 3]


def test_the_summary_is_over_the_evaluated_seeds(evaluated: dict[str, Any], set_params: Any, dlcv: Any) -> None:
    one = evaluated["scores"]["frechet_means"]
    assert read_json(summary.faces(load()))["frechet_means"] == {key: one[key] for key in ("value", "interval")}
    set_params({"ddim.seeds": [0, 3]})
    missing = "out/ddim/unet-3-evaluation/scores.json has no scores; `dvc repro` makes it, `dvc pull` fetches it"
    assert dlcv("ddim summary") == (1, f"dlcv: error: {missing}\n")
    shutil.copytree("out/ddim/unet-0", "out/ddim/unet-3")  # the same network, but other noise
    for words in ("sample --seed 3", "evaluate --seed 3", "summary"):
        assert dlcv(f"ddim {words}")[0] == 0
    other = read_json(Path("out/ddim/unet-3-evaluation/scores.json"))["scores"]["frechet_means"]
    both = read_json(Path("out/ddim-summary/summary.json"))
    values = one["value"], other["value"]
    assert both["seeds"] == [0, 3] and values[0] != values[1]
    distance = both["frechet_means"]
    assert (distance["value"], distance["standard_deviation"]) == (np.mean(values), np.std(values, ddof=1))
    low, high = distance["interval"].values()
    assert high - low > max(each["interval"]["high"] - each["interval"]["low"] for each in (one, other))


def test_the_changes_along_each_path() -> None:
    table = pd.DataFrame(
        {"path": ["a"] * 3 + ["b"] * 3, "change": [np.nan, 1.0, 3.0] * 2, "norm": [5.0, 4.0, 5.0, 9.0, 8.0, 7.0]}
    )
    assert evaluate_faces.smoothness(table) == {
        "a": {"mean_change": 2.0, "largest_change": 3.0, "smallest_norm": 4.0},
        "b": {"mean_change": 2.0, "largest_change": 3.0, "smallest_norm": 7.0},
    }


def test_deviations_from_the_papers_order_are_found_in_rows_and_columns() -> None:
    table = {row: {"10": {"distance": 20.0 + eta}, "20": {"distance": 10.0 + eta}} for eta, row in enumerate("ab")}
    assert evaluate_faces.deviations_from_paper(table, ["a", "b"], ["10", "20"]) == []
    table["b"]["20"]["distance"] = 30.0
    assert evaluate_faces.deviations_from_paper(table, ["a", "b"], ["10", "20"]) == ["at b 20 steps are above 10"]
    table["b"]["20"]["distance"] = 9.0
    assert evaluate_faces.deviations_from_paper(table, ["a", "b"], ["10", "20"]) == ["at 20 steps b is below a"]
