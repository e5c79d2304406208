"""The report as one HTML file that contains its pictures, styles and scripts, and requests nothing."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import markdown
from jinja2 import Environment, PackageLoader
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

from dlcv.report import pictures
from dlcv.report.curves import chart

QUALITY = 80  # of the pictures
VEGA_LITE = "5.20"
STATIC = Path(__file__).parent / "static"


def to_html(text: str, folder: Path, cards: Sequence[Mapping[str, Any]]) -> str:
    """Render Markdown `text`, whose image links are relative to `folder`.

    Args:
        cards: for the first screen, of each problem `title`, `anchor`, `picture` and `facts`, pairs of texts.

    Raises:
        UserError: a picture is missing.
    """
    converter = markdown.Markdown(extensions=["tables", "toc", "md_in_html", Figures(folder)])
    body = converter.convert(text)
    contents = converter.toc_tokens[0]  # type: ignore[attr-defined]
    shown = [{**card, "picture": source(_path(folder, card["picture"]))} for card in cards]
    charts = "vega-lite" in body
    template = Environment(loader=PackageLoader("dlcv.report"), autoescape=True).get_template("page.html.jinja")
    return template.render(
        title=contents["name"],
        contents=contents["children"],
        cards=shown,
        # The heading and the text below it stand above the cards.
        body=re.sub(r"^<h1.*?</h1>", "", body, count=1),
        style=(STATIC / "page.css").read_text(encoding="utf-8"),
        scripts=[*([vega()] if charts else []), (STATIC / "page.js").read_text(encoding="utf-8")],
    )


class Figures(Extension):
    """Markdown images with their captions become figures; tables can scroll."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder

    def extendMarkdown(self, md: markdown.Markdown) -> None:
        md.treeprocessors.register(_Figures(md, self.folder), "figures", 5)


class _Figures(Treeprocessor):
    def __init__(self, md: markdown.Markdown, folder: Path):
        super().__init__(md)
        self.folder = folder

    def run(self, root: Element) -> None:
        """Change the tree of elements in place."""
        for parent in list(root.iter()):
            for index, child in enumerate(list(parent)):
                if child.tag == "table":
                    parent[index] = _wrapped(child)
            children = list(parent)
            for child, after in zip_longest(children, children[1:]):
                if child.tag == "p" and len(child) == 1 and child[0].tag == "img":
                    caption = after if after is not None and len(after) == 1 and after[0].tag == "em" else None
                    figure(child, child[0], None if caption is None else caption[0], self.folder)
                    if caption is not None:
                        parent.remove(caption)


def figure(element: Element, image: Element, caption: Element | None, folder: Path) -> None:
    """Turn the paragraph `element` of an image into a figure, with what moves it."""
    path = _path(folder, image.attrib["src"])
    element.clear()
    element.tag = "figure"
    if (found := pictures.points(path)) is not None:
        sprite = source(path.with_name(path.stem + pictures.IMAGES))
        SubElement(element, "div", {"class": "map", "data-map": json.dumps(found), "data-images": sprite})
    elif (spec := chart(path)) is not None:
        SubElement(element, "div", {"class": "vega-lite", "data-spec": json.dumps(spec)})
    width, height = pictures.size(path)
    about = {"src": source(path), "alt": image.attrib.get("alt", ""), "width": str(width), "height": str(height)}
    if slides := pictures.slides(path):
        about["data-slides"] = json.dumps(slides)
    SubElement(element, "img", {**about, "loading": "lazy"})
    if caption is not None:
        caption.tag = "figcaption"
        element.append(caption)


def source(path: Path) -> str:
    """The image `path` as a data URI."""
    return f"data:image/webp;base64,{base64.b64encode(pictures.webp(path, QUALITY)).decode()}"


def _path(folder: Path, link: str) -> Path:
    return Path(os.path.normpath(folder / link))


def _wrapped(table: Element) -> Element:
    scroll = Element("div", {"class": "table"})
    scroll.append(table)
    return scroll


def vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the package vl-convert-python."""
    import vl_convert

    script: str = vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg]
    return script.replace("</script", "<\\/script")
