"""The report as one HTML file that contains its images."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import markdown

from dlcv.runtime.errors import UserError

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2, h3 { line-height: 1.2; } h2 { border-bottom: 1px solid #ccc; padding-bottom: .2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1rem 0; font-size: 14px; }
th, td { border: 1px solid #ddd; padding: .3rem .6rem; text-align: left; font-variant-numeric: tabular-nums; }
th { background: #f4f4f4; } img { max-width: 100%; } code { background: #f4f4f4; padding: 0 .2rem; }
p > em { color: #666; font-size: 14px; }
"""


def to_html(text: str, folder: Path) -> str:
    """Render Markdown `text`, whose image links are relative to `folder`.

    Raises:
        UserError: an image is missing.
    """

    def embed(match: re.Match[str]) -> str:
        path = Path(os.path.normpath(folder / match["path"]))
        if not path.is_file():
            raise UserError(f"{path} is missing; `dvc repro` makes it, `dvc pull` fetches it")
        data = base64.b64encode(path.read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    body = markdown.markdown(text, extensions=["tables"])
    body = re.sub(r'src="(?P<path>[^"]+\.png)"', embed, body)
    title = re.search(r"<h1>(.*?)</h1>", body)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title[1] if title else "Report"}</title>\n'
        f"<style>{STYLE}</style>\n{body}\n</html>\n"
    )
