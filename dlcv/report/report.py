"""The stage `report`: tables and figures of everything that params.yaml implies, in Markdown and HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dlcv.errors import UserError
from dlcv.files import read_json, replacing
from dlcv.nested import flatten
from dlcv.params import Params, read_yaml
from dlcv.report.page import to_html

OUT = Path("report")
DATA = Path("data")
METRICS = Path("metrics/adaptation")
ADAPTATION = Path("out/adaptation")
CAPTIONS = {
    "tsne-class.png": "t-SNE of the output of the convolutions, coloured by digit; source and target fitted together.",
    "tsne-domain.png": "The same maps, coloured by domain.",
    "confusion.png": "Confusion on the target's validation pictures: rows are labels, in per cent.",
    "curve.png": "Training of DANN: losses, lambda and information (nats); accuracies on training batches.",
}


def run(params: Params) -> Path:
    """Write `report/report.md` and `report/report.html`, which carries its pictures inside.

    Returns:
        The Markdown file.

    Raises:
        UserError: a file that params.yaml implies is missing, or one lies there that it does not imply.
    """
    names = list(params.raw["adaptation"]["scenarios"])
    refuse_unclaimed(METRICS, {f"{name}.json" for name in names})
    scenarios = {name: read(METRICS / f"{name}.json") for name in names}
    cards = {domain: read(DATA / "digits" / domain / "card.json") for domain in params.raw["data"]["domains"]}
    cards["faces"] = read(DATA / "faces" / "card.json")
    folders = {name: DATA / ("faces" if name == "faces" else f"digits/{name}") for name in cards}
    environment = Environment(
        loader=PackageLoader("dlcv.report"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        four=lambda value: f"{value:.4f}",
        signed=lambda value: f"{value:+.4f}",
        arrow=lambda name: " → ".join(name.split("-")),
        reports=reports,
        verdict=verdict,
    )
    text = environment.get_template("report.md.jinja").render(
        params=params.raw,
        cards=cards,
        sheets={name: link(folder / "contact.png") for name, folder in folders.items()},
        stage_of_data=lambda name: "faces" if name == "faces" else f"digits@{name}",
        scenarios=scenarios,
        figures={name: {link(ADAPTATION / name / file): text for file, text in CAPTIONS.items()} for name in names},
        reference=read_yaml(Path(__file__).parent / "reference.yaml"),
        parameters=flatten({key: params.raw[key] for key in params.raw if key != "data"}),
        trainings=trainings(scenarios),
        versions=next(iter(scenarios.values()))["protocol"]["versions"],
    )
    for file, content in {"report.html": to_html(text, OUT), "report.md": text}.items():
        with replacing(OUT / file) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return OUT / "report.md"


def read(path: Path) -> Any:
    """A JSON file that params.yaml implies."""
    try:
        return read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `dvc repro` makes it, `dvc pull` fetches it") from None
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}); `dvc repro -f` makes it anew") from None


def refuse_unclaimed(folder: Path, claimed: set[str]) -> None:
    """Refuse JSON files that are left over from something which params.yaml no longer has."""
    for path in sorted(folder.glob("*.json")):
        if path.name not in claimed:
            raise UserError(f"{path} belongs to nothing in params.yaml; remove it, or bring its scenario back")


def trainings(scenarios: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every training behind the scores, with the JSON beside its weights."""
    found: dict[str, dict[str, Any]] = {}
    for scores in scenarios.values():
        for values in scores["rows"].values():
            name = values["training"]["name"]
            about = read(ADAPTATION / name / "weights.json")
            method, _, task = name.partition("-")
            found[name] = {**about, "stage": f"{method}@{task}"}
    return dict(sorted(found.items()))


def reports(figures: dict[str, float]) -> str:
    """ "0.4448 (002)": the figures of the reports, the best in bold."""
    best = max(figures.values(), default=0.0)
    return ", ".join(f"**{x:.4f}** ({key})" if x == best else f"{x:.4f} ({key})" for key, x in figures.items())


def verdict(scores: dict[str, Any]) -> str:
    """One sentence on whether adaptation beats the network trained on the source."""
    row = scores["rows"]["dann"]
    if row["gain"]["interval"]["low"] > 0:
        return f"{row['label']} beats the network trained on the source by more than the paired interval."
    if row["gain"]["interval"]["high"] < 0:
        return f"{row['label']} loses to the network trained on the source by more than the paired interval."
    return f"{row['label']} and the network trained on the source cannot be told apart: the interval contains 0."


def link(path: Path) -> str:
    """A link from the report's folder to `path`."""
    return f"../{path.as_posix()}"
