"""The report from made files: what it says, what it refuses."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from ruamel.yaml import YAML

from dlcv.errors import UserError
from dlcv.files import write_json
from dlcv.params import load
from dlcv.report import report
from dlcv.report.page import to_html


def row(accuracy: float, label: str, training: str, gain: float | None = None) -> dict[str, Any]:
    values: dict[str, Any] = {
        "label": label,
        "accuracy": accuracy,
        "interval": {"low": accuracy - 0.01, "high": accuracy + 0.01},
        "source_accuracy": 0.9,
        "domain_accuracy": 0.6,
        "proxy_a_distance": 1.5,
        "per_class": [accuracy] * 10,
        "training": {"name": training, "fingerprint": "f" * 64, "sha256": "a" * 64},
    }
    if gain is not None:
        values["gain"] = {"over_trained_on_source": gain, "interval": {"low": gain - 0.02, "high": gain + 0.02}}
    return values


@pytest.fixture
def made(study: Path) -> Path:
    """All that the report reads, with gains of +0.10, +0.01, -0.10 and +0.10 in the four scenarios."""
    scenarios = YAML(typ="safe").load((study / "params.yaml").read_text())["adaptation"]["scenarios"]
    for folder in ("data/digits/mnistm", "data/digits/svhn", "data/digits/usps", "data/faces"):
        (study / folder).mkdir(parents=True)
        splits = {split: {"count": 1234, "classes": {"0": 1234}} for split in ("train", "val")}
        card = {"played_by": f"a stand-in for {folder}", "provenance": "made", "label": "digit", "splits": splits}
        write_json(study / folder / "card.json", {**card, "sha256": "c" * 64})
        Image.new("RGB", (8, 8)).save(study / folder / "contact.png")
    for (name, scenario), gain in zip(scenarios.items(), (0.1, 0.01, -0.1, 0.1), strict=True):
        rows = {
            "trained_on_source": row(0.5, "trained on source", f"supervised-{scenario['source']}"),
            "dann": row(0.5 + gain, "DANN", f"dann-{name}", gain),
            "trained_on_target": row(0.9, "trained on target", f"supervised-{scenario['target']}", 0.4),
        }
        pictures = {role: {"domain": scenario[role], "count": 40} for role in ("source", "target")}
        protocol = {"pictures": pictures, "versions": {"torch": "0"}}
        write_json(study / f"metrics/adaptation/{name}.json", {"protocol": protocol, "rows": rows})
        (study / "out/adaptation" / name).mkdir(parents=True)
        for figure in report.CAPTIONS:
            Image.new("RGB", (8, 8)).save(study / "out/adaptation" / name / figure)
        for values in rows.values():
            about = {**values["training"], "network": "lenet", "parameters": 257254}
            write_json(study / "out/adaptation" / values["training"]["name"] / "weights.json", about)
    return study


def test_report_says_who_wins_and_where_it_comes_from(made: Path) -> None:
    report.run(load())
    text = (made / "report/report.md").read_text()
    assert "| mnistm → svhn | trained on source | 0.5000 | 0.4900 to 0.5100 |  | 0.1900 (000), " in text
    assert "|  | DANN | **0.6000** | 0.5900 to 0.6100 | +0.1000 (+0.0800 to +0.1200) | 0.4881 (000)" in text
    assert "mnistm → svhn: DANN beats the network trained on the source by more than" in text
    assert "mnistm → usps: DANN and the network trained on the source cannot be told apart" in text
    assert "usps → mnistm: DANN loses to the network trained on the source by more than" in text
    assert "| `dann-usps-mnistm` | `dann@usps-mnistm` | lenet | 257,254 | `ffffffffffff` | `aaaaaaaaaaaa` |" in text
    assert "| faces | a stand-in for data/faces | 1,234 + 1,234 |" in text
    assert "here `sample` plays its parts" in text
    # Every table is whole: no blank line between a header and its rows.
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| --- "):
            assert lines[number - 1].startswith("| ") and lines[number + 1].startswith("| "), line


def test_html_carries_its_pictures_and_tables(made: Path) -> None:
    report.run(load())
    html = (made / "report/report.html").read_text()
    assert html.count("data:image/png;base64,") == 4 + 4 * len(report.CAPTIONS)
    assert 'src="..' not in html
    assert html.count("<table>") == 6
    assert "<td><strong>0.6000</strong></td>" in html


def test_what_params_do_not_imply_is_refused_and_what_is_missing_is_named(made: Path) -> None:
    write_json(made / "metrics/adaptation/old.json", {})
    with pytest.raises(UserError, match="metrics/adaptation/old.json belongs to nothing in params.yaml; remove it"):
        report.run(load())
    (made / "metrics/adaptation/old.json").unlink()
    (made / "out/adaptation/svhn-usps/confusion.png").unlink()
    with pytest.raises(UserError, match="out/adaptation/svhn-usps/confusion.png is missing; `dvc repro` makes it"):
        report.run(load())
    assert not (made / "report/report.html").exists()
    (made / "metrics/adaptation/svhn-usps.json").write_text("{")
    with pytest.raises(UserError, match="metrics/adaptation/svhn-usps.json is not JSON"):
        report.run(load())


def test_embedding(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "x.png")
    html = to_html("# A title\n\n![alt](x.png)\n", tmp_path)
    assert "<title>A title</title>" in html
    assert base64.b64encode((tmp_path / "x.png").read_bytes()).decode() in html
