"""The report as one HTML file that contains its pictures, styles and scripts, and requests nothing."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import markdown
from markupsafe import Markup

from dlcv.report.pictures import webp
from dlcv.report.tables import slim

STATIC = Path(__file__).parent / "static"
SCRIPTS = ("plotly-basic.min.js", "page.js", "figures.js", "maps.js")


def as_html(text: str) -> Markup:
    """Markdown as HTML; columns of tables that say nothing are left out and named."""
    return Markup(markdown.markdown(slim(text), extensions=["tables"]))


def picture(path: Path, cut: int | None = None) -> Markup:
    """A data URI of the picture `path` as WebP; a chart without loss, a WebP as it is.

    Args:
        cut: number of pixel rows from the top; None for all.

    Raises:
        UserError: the picture is missing.
    """
    data = path.read_bytes() if path.suffix == ".webp" and path.is_file() else webp(path, cut)
    return Markup(f"data:image/webp;base64,{base64.b64encode(data).decode()}")


def as_json(value: Any) -> Markup:
    """JSON for a script element, which ends at "</"."""
    return Markup(json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/"))


def shown(figures: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The figures of a page: without those that a live figure shows as well."""
    return [figure for figure in figures if not (figure["live"] and figure["live"]["kind"] == "within")]


def styles() -> Markup:
    """The style sheet."""
    return Markup((STATIC / "page.css").read_text(encoding="utf-8"))


def scripts() -> list[Markup]:
    """The scripts, in the order in which they run."""
    return [Markup((STATIC / name).read_text(encoding="utf-8").replace("</script", "<\\/script")) for name in SCRIPTS]


def with_contents(page: str) -> str:
    """Fill the table of contents of `page`, at "<!-- contents -->", with its headings that have an id."""
    headings = re.findall(r'<h([23]) id="([^"]+)">(.*?)</h\1>', page, flags=re.S)
    items = [
        f'<li class="level-{level}"><a href="#{name}">{escape(_plain(text))}</a></li>' for level, name, text in headings
    ]
    return page.replace("<!-- contents -->", "\n".join(items))


def _plain(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html).replace("&amp;", "&").strip()


PAGE_FILTERS = (as_html, as_json, picture, shown)
