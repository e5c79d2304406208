"""The stage `report`: tables and figures of everything that params.yaml implies, in Markdown and HTML."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from dlcv.report.page import to_html
from dlcv.report.sections import SECTIONS, data
from dlcv.report.words import FILTERS, TABLES
from dlcv.runtime.config import Params, read_yaml
from dlcv.runtime.files import replacing
from dlcv.runtime.nested import flatten

OUT = Path("report")


def run(params: Params) -> Path:
    """Write `report/report.md` and `report/report.html`, which contains its images.

    Returns:
        The Markdown file.

    Raises:
        UserError: a file that params.yaml implies is missing, or `metrics/` has one that it does not imply.
    """
    cards = data(params.raw)
    sections = {name: gather(params.raw) for name, gather in SECTIONS.items()}
    versions = [section.get("protocol", {}).get("versions", {}) for section in sections.values()]
    text = (
        environment()
        .get_template("report.md.jinja")
        .render(
            params=params.raw,
            cards=cards,
            **sections,
            reference=read_yaml(Path(__file__).parent / "reference.yaml"),
            parameters=flatten({key: params.raw[key] for key in params.raw if key != "data"}),
            trainings=[about for section in sections.values() for about in section["trainings"].values()],
            versions={package: version for each in versions for package, version in each.items()},
        )
    )
    for file, content in {"report.html": to_html(text, OUT), "report.md": text}.items():
        with replacing(OUT / file) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return OUT / "report.md"


def environment() -> Environment:
    """The templates, with the functions of `dlcv.report.words`."""
    templates = Environment(
        loader=PackageLoader("dlcv.report"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.globals.update({function.__name__: function for function in TABLES})
    templates.filters.update({function.__name__: function for function in FILTERS})
    return templates
