"""`dlcv pipeline`: the generated part of the areas' dvc.yaml files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dlcv.pipeline import MARK, areas, by_hand, text_of, write
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.outputs import Artifact, Outputs, Plot

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture
def stages(study: Path) -> Path:
    """The areas' dvc.yaml files in a study of its own."""
    for file in (REPOSITORY / "stages").glob("*/dvc.yaml"):
        (study / "stages" / file.parent.name).mkdir(parents=True)
        shutil.copy(file, study / "stages" / file.parent.name)
    return study / "stages"


def read(stages: Path, area: str) -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load((stages / area / "dvc.yaml").read_text())
    return document


def files(document: dict[str, Any]) -> set[str]:
    """The CSV files in the plots of a dvc.yaml."""
    charts = [plot for plot in document["plots"] if isinstance(plot, dict)]
    return {file for plot in charts for entry in plot.values() for file in entry["y"]}


@pytest.mark.parametrize("area", areas())
def test_the_generated_part_is_current(area: str) -> None:
    room, outputs = areas()[area]
    text = (REPOSITORY / "stages" / area / "dvc.yaml").read_text()
    generated = MARK.format(room=room) + text_of(outputs(load(REPOSITORY / "params.yaml")))
    assert text == by_hand(text) + generated, "run `dlcv pipeline`"


def test_titles_and_names_are_unique() -> None:
    """DVC takes the names of artifacts from this alphabet."""
    params = load(REPOSITORY / "params.yaml")
    for _, outputs in areas().values():
        declared = outputs(params)
        titles = [plot.title for plot in declared.plots]
        names = [artifact.name for artifact in declared.artifacts]
        assert len(set(titles)) == len(titles) and len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z0-9](-?[a-z0-9])*", name) for name in names)


def test_writing_twice_changes_nothing(stages: Path) -> None:
    assert write() == []
    before = {file: file.read_bytes() for file in stages.glob("*/dvc.yaml")}
    for area in areas():
        file = stages / area / "dvc.yaml"
        file.write_text(by_hand(file.read_text()))
    assert write() == [Path("stages") / area / "dvc.yaml" for area in areas()]
    assert write() == []
    assert {file: file.read_bytes() for file in stages.glob("*/*")} == before


@pytest.mark.usefixtures("study")
def test_a_new_model_has_plots_and_an_artifact(stages: Path, set_params: Callable[[dict[str, Any]], None]) -> None:
    before = read(stages, "gan")
    set_params({"gan.mine": {"steps": 7}, "gan.models": ["dcgan", "mine"], "gan.pairs": {}})
    assert write() == [Path("stages/gan/dvc.yaml")]
    after = read(stages, "gan")
    assert after["stages"] == before["stages"] and after["vars"] == before["vars"]
    titles = [[list(plot) for plot in document["plots"] if isinstance(plot, dict)] for document in (before, after)]
    assert titles[0] == titles[1]
    assert "../../out/gan/mine-0-samples/grid.png" in after["plots"]
    assert {file.split("/")[4] for file in files(after)} == {
        "dcgan-0",
        "mine-0",
        "dcgan-0-evaluation",
        "mine-0-evaluation",
    }
    assert after["artifacts"]["mine-0"]["path"] == "../../out/gan/mine-0"
    assert list(after["artifacts"]) == ["dcgan-0", "mine-0"]


@pytest.mark.slow
def test_a_profile_writes_the_pipeline_too(stages: Path, dlcv: Callable[[str], tuple[int, str]]) -> None:
    before = {file: file.read_bytes() for file in stages.glob("*/dvc.yaml")}
    assert dlcv("profile smoke") == (0, "")
    variants = {file for file in files(read(stages, "adaptation")) if "/variants/" in file}
    assert variants and all(file.split("/variants/")[1].startswith("deep-0/") for file in variants)
    assert dlcv("profile sample") == (0, "")
    assert {file: file.read_bytes() for file in stages.glob("*/dvc.yaml")} == before


def test_an_area_without_a_file_is_named(stages: Path) -> None:
    (stages / "vae" / "dvc.yaml").unlink()
    with pytest.raises(UserError, match="there is no stages/vae/dvc.yaml here; run dlcv in the root of the repository"):
        write()


def test_the_part_above_the_mark_is_kept_as_it_is() -> None:
    upper = "# A comment.\nstages:\n  train: {cmd: x} # here\n"
    assert by_hand(upper) == upper + "\n"
    assert by_hand(f"{upper}\n{MARK.format(room='gan')}plots: []\n") == upper + "\n"
    assert by_hand(f"{upper}\n\n\n{MARK.format(room='another')}") == upper + "\n"


def test_plots_and_artifacts_as_yaml() -> None:
    curve, table = Path("out/a/curve.csv"), Path("out/a/table.csv")
    plots = [
        Plot("the judge's loss", {curve: "loss"}),
        Plot("both", {curve: ["x", "y"], table: "x"}, x="t", template="scatter"),
    ]
    text = text_of(Outputs(plots, [Artifact("a", Path("out/a"), "a model: the first")], [Path("out/a.png")]))
    assert YAML(typ="safe").load(text) == {
        "plots": [
            {"the judge’s loss": {"x": "step", "y": {"../../out/a/curve.csv": "loss"}}},
            {
                "both": {
                    "template": "scatter",
                    "x": "t",
                    "y": {"../../out/a/curve.csv": ["x", "y"], "../../out/a/table.csv": "x"},
                }
            },
            "../../out/a.png",
        ],
        "artifacts": {"a": {"path": "../../out/a", "type": "model", "desc": "a model: the first"}},
    }
    assert "plots" not in YAML(typ="safe").load(text_of(Outputs([], [Artifact("a", Path("out/a"), "a")])))
    assert text_of(Outputs()) == ""
