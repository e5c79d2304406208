"""The stage `evaluate` with a small extractor: the table's cells, what is written, and the report's reading of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dlcv.data.prepared import load_split
from dlcv.ddim import evaluate, model, sample
from dlcv.ddim import noise as noises
from dlcv.ddim.sections import Ddim
from dlcv.evaluation.metrics import frechet
from dlcv.evaluation.reference import of_images, save_reference
from dlcv.runtime.config import load
from dlcv.runtime.files import read_json


class Means:
    """Mean colours of the four quarters in place of a network's features."""

    name, score = "means", "frechet_means"

    def protocol(self) -> dict[str, Any]:
        return {"name": self.name}

    def __call__(self, images: np.ndarray, progress: bool = False) -> np.ndarray:
        quarters = np.asarray(images, dtype=np.float32).reshape(len(images), 2, 32, 2, 32, 3)
        return quarters.mean(axis=(2, 4)).reshape(len(images), 12) / 50


@pytest.fixture
def evaluated(faces: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The scores of a network that was never trained."""
    extractor: Any = Means()
    monkeypatch.setattr(evaluate, "load_extractor", lambda section: extractor)
    train, val = (np.array(load_split(Path("data/faces"), split).images) for split in ("train", "val"))
    save_reference(evaluate.REFERENCE, of_images("faces", train, val, extractor))
    sample.run(load())
    path = evaluate.run(load())
    assert path == Path("metrics/ddim/unet.json")
    scores: dict[str, Any] = read_json(path)
    return scores


def test_the_table_has_a_cell_for_every_sampler_and_real_images_of_the_same_number(
    evaluated: dict[str, Any],
) -> None:
    section, extractor = load()[Ddim], Means()
    table = evaluated["table"]
    assert list(table) == ["eta 0", "eta 1", "sigma-hat", "real"]
    cells = {(row, steps): table[row][steps] for row in ("eta 0", "eta 1", "sigma-hat") for steps in ("2", "3")}
    assert all(cell["evaluations"] == int(steps) for (_, steps), cell in cells.items())
    assert len({cell["distance"] for cell in cells.values()}) == 6
    # One cell by hand: the same noises, the spacing of the table.
    sampling = section.sampling.model_copy(update={"steps": 3, "eta": 0.0, "spacing": "uniform"})
    drawn = model.generate(model.load_model(Path("out/ddim/unet")), noises.draw(6, 0), [0] * 6, sampling)
    reference = frechet.statistics(extractor(load_split(Path("data/faces"), "train").images))
    images = evaluate.to_uint8(drawn).numpy()
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
    folder = Path("out/ddim/unet-evaluation")
    assert sorted(path.name for path in folder.iterdir()) == ["curve.png", "neighbours.png", "table.csv", "table.png"]
    table = pd.read_csv(folder / "table.csv")
    assert list(table["row"]) == ["eta 0"] * 2 + ["eta 1"] * 2 + ["sigma-hat"] * 2
    assert list(table["evaluations"]) == [2, 3, 2, 3, 2, 3]


def test_the_jumps_of_a_way_are_told() -> None:
    table = pd.DataFrame(
        {"path": ["a"] * 3 + ["b"] * 3, "change": [np.nan, 1.0, 3.0] * 2, "norm": [5.0, 4.0, 5.0, 9.0, 8.0, 7.0]}
    )
    assert evaluate.smoothness(table) == {
        "a": {"mean_change": 2.0, "largest_change": 3.0, "smallest_norm": 4.0},
        "b": {"mean_change": 2.0, "largest_change": 3.0, "smallest_norm": 7.0},
    }
