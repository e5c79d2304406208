"""The stage `report`: tables and figures of everything that params.yaml implies, in Markdown and HTML."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from dlcv.report import pictures
from dlcv.report.overview import cards as cards_of
from dlcv.report.page import to_html
from dlcv.report.sections import SECTIONS, data
from dlcv.report.words import FILTERS, TABLES
from dlcv.runtime.config import Params, read_yaml
from dlcv.runtime.files import replacing
from dlcv.runtime.nested import flatten

OUT = Path("report")
QUALITY, WIDTH = 60, 1000  # of the copies in git: all pictures of the study that ships have less than 3 MB


def run(params: Params) -> Path:
    """Write `report/report.md`, small copies of its pictures, and `report/report.html`, which contains its pictures.

    Returns:
        The Markdown file.

    Raises:
        UserError: a file that params.yaml implies is missing, or `metrics/` has one that it does not imply.
    """
    cards = data(params.raw)
    sections = {name: gather(params.raw) for name, gather in SECTIONS.items()}
    shown = cards_of(sections)
    versions = [section.get("protocol", {}).get("versions", {}) for section in sections.values()]
    text = (
        environment()
        .get_template("report.md.jinja")
        .render(
            params=params.raw,
            cards=cards,
            **sections,
            cards_of=shown,
            reference=read_yaml(Path(__file__).parent / "reference.yaml"),
            parameters=flatten({key: params.raw[key] for key in params.raw if key != "data"}),
            trainings=[about for section in sections.values() for about in section["trainings"].values()],
            versions={package: version for each in versions for package, version in each.items()},
        )
    )
    page = to_html(text, OUT, shown)
    for file, content in {"report.html": page, "report.md": with_pictures(text)}.items():
        with replacing(OUT / file) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return OUT / "report.md"


def with_pictures(text: str) -> str:
    """`text` with links to small copies of its pictures, which are written to `report/pictures/` for a forge."""
    with replacing(OUT / "pictures") as folder:
        folder.mkdir(parents=True)

        def copy(link: re.Match[str]) -> str:
            path = Path(link["path"])
            name = "-".join(path.with_suffix(".webp").parts)
            (folder / name).write_bytes(pictures.webp(path, QUALITY, WIDTH))
            return f"(pictures/{name})"

        return re.sub(r"\(\.\./(?P<path>[^()]+\.png)\)", copy, text)


def environment() -> Environment:
    """The templates, with the functions of `dlcv.report.words`."""
    templates = Environment(
        loader=PackageLoader("dlcv.report"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.globals.update({function.__name__: function for function in TABLES})
    templates.filters.update({function.__name__: function for function in FILTERS})
    return templates
