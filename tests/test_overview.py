"""The chart of the pipeline in README."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcv.overview import END, START, chart, kind_of, write
from dlcv.runtime.errors import UserError
from dlcv.runtime.stages import read_needs

REPOSITORY = Path(__file__).parent.parent
GAN = "stages/gan/dvc.yaml"
STAGES: dict[str, list[str]] = {
    "stages/data/dvc.yaml:faces": [],
    f"{GAN}:train@a-0": ["stages/data/dvc.yaml:faces"],
    f"{GAN}:train@b-0": ["stages/data/dvc.yaml:faces"],
    f"{GAN}:other@b-0": ["stages/data/dvc.yaml:faces"],
    "report": [f"{GAN}:train@a-0", f"{GAN}:train@b-0", f"{GAN}:other@b-0", "stages/data/dvc.yaml:faces"],
}


def test_kinds_with_the_same_neighbours_share_a_node_and_short_ways_are_left_out() -> None:
    assert chart(STAGES).splitlines() == [
        "flowchart LR",
        "  subgraph data",
        '    data_faces["faces (1)"]',
        "  end",
        "  subgraph gan",
        '    gan_other["other (1)<br/>train (2)"]',
        "  end",
        "  subgraph report",
        '    report_report["report (1)"]',
        "  end",
        "  data_faces --> gan_other",
        "  gan_other --> report_report",
    ]
    assert kind_of("stages/evaluation/dvc.yaml:judge-evaluate") == ("evaluation", "judge-evaluate")


def test_it_is_put_between_the_marks(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{START}\nold\n{END}\nafter\n")
    assert write(path, STAGES) and not write(path, STAGES)
    text = path.read_text()
    assert text.startswith(f"before\n{START}\n\n```mermaid\nflowchart LR\n") and text.endswith(f"```\n{END}\nafter\n")
    path.write_text("nothing")
    for document in (path, tmp_path / "none.md"):
        with pytest.raises(UserError, match=r"README.md has no lines|there is no .*none.md"):
            write(document, STAGES)


@pytest.mark.slow
def test_readme_has_the_chart_of_this_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    copy = tmp_path / "README.md"
    copy.write_text((REPOSITORY / "README.md").read_text())
    assert not write(copy, read_needs()), "run `dlcv overview README.md`"
