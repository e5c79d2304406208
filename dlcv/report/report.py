"""The stage `report`: tables and figures of everything that params.yaml implies, in Markdown and HTML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dlcv.report.claims import claims
from dlcv.report.headlines import headlines
from dlcv.report.page import PAGE_FILTERS, scripts, styles, with_contents
from dlcv.report.pictures import webp
from dlcv.report.sections import SECTIONS, data
from dlcv.report.words import FILTERS, LEAST, TABLES
from dlcv.runtime.config import Params, read_yaml
from dlcv.runtime.files import replacing
from dlcv.runtime.nested import flatten

OUT = Path("report")
QUALITY, WIDTH = 60, 1000  # of the copies in git: all pictures of the study that ships have less than 3 MB
AREAS = ("gan", "vae", "ddim", "adaptation", "diffusion")


def run(params: Params) -> Path:
    """Write `report/report.md`, small copies of its pictures, and `report/report.html`, which contains its pictures.

    Returns:
        The Markdown file.

    Raises:
        UserError: a file that params.yaml implies is missing, or `metrics/` has one that it does not imply.
    """
    templates, facts = environment(), gather(params)
    # Both are rendered from the same facts, so that they cannot contradict each other.
    pages = {
        "report.html": with_contents(templates.get_template("page/page.html.jinja").render(**facts)),
        "report.md": with_pictures(templates.get_template("report.md.jinja").render(**facts)),
    }
    for file, content in pages.items():
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
            (folder / name).write_bytes(webp(path, quality=QUALITY, width=WIDTH))
            return f"(pictures/{name})"

        return re.sub(r"\(\.\./(?P<path>[^()]+\.png)\)", copy, text)


def gather(params: Params) -> dict[str, Any]:
    """What the templates print: the sections by name, what the reports state, and what follows from both."""
    cards = data(params.raw)
    sections = {name: gather_one(params.raw) for name, gather_one in SECTIONS.items()}
    reference = read_yaml(Path(__file__).parent / "reference.yaml")
    facts = {**sections, "params": params.raw}
    versions = [section.get("protocol", {}).get("versions", {}) for section in sections.values()]
    return {
        **facts,
        "cards": cards,
        "reference": reference,
        "claims": claims(facts, reference["claims"]),
        "headlines": headlines(facts),
        "least": LEAST,
        "trainings_of_each": {area: len(params.raw[area]["seeds"]) for area in AREAS},
        "parameters": flatten({key: params.raw[key] for key in params.raw if key != "data"}),
        "trainings": [about for section in sections.values() for about in section["trainings"].values()],
        "versions": {package: version for each in versions for package, version in each.items()},
    }


def environment() -> Environment:
    """The templates, with the functions of `dlcv.report.words` and `dlcv.report.page`."""
    templates = Environment(
        loader=PackageLoader("dlcv.report"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.globals.update({function.__name__: function for function in (*TABLES, scripts, styles)})
    templates.filters.update({function.__name__: function for function in (*FILTERS, *PAGE_FILTERS)})
    return templates
