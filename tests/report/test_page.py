"""The page from made files: it answers every question, holds its pictures, and requests nothing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcv.figures import live
from dlcv.report import report
from dlcv.report.page import as_json, picture, with_contents
from dlcv.report.tables import slim
from dlcv.runtime.config import load
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import write_json

pytestmark = pytest.mark.slow


def page_of(study: Path) -> str:
    report.run(load())
    return (study / "report/report.html").read_text()


def without_scripts(page: str) -> str:
    return re.sub(r"<script.*?</script>", "", page, flags=re.S)


def test_the_contents_lead_to_every_heading(full: Path) -> None:
    page = page_of(full)
    links = re.findall(r'<li class="level-\d"><a href="#([^"]+)">', page)
    assert links == re.findall(r'<h[23] id="([^"]+)"', page)
    assert {"gan", "vae", "ddim", "adaptation", "diffusion", "gan-words", "mnistm-svhn", "origins"} <= set(links)
    assert len(set(links)) == len(links)


def test_every_picture_is_inside_and_has_a_text(full: Path) -> None:
    page = without_scripts(page_of(full))
    pictures = re.findall(r"<img [^>]*>", page)
    assert len(pictures) > 60
    for tag in pictures:
        assert re.search(r'src="data:image/webp;base64,[\w+/]+=*"', tag) and re.search(r'alt="[^"]+"', tag), tag[:200]
    assert not re.findall(r'(?:src|href)="(?!data:|#|https://arxiv)', page)


def test_the_first_screen_has_a_picture_and_three_to_five_figures_for_each_problem(full: Path) -> None:
    page = page_of(full)
    cards = re.findall(r'<a class="card" href="#(\w+)">(.*?)</a>', page, flags=re.S)
    assert [name for name, _ in cards] == ["gan", "vae", "ddim", "adaptation", "diffusion"]
    for _, card in cards:
        assert card.count("<img ") == 1 and 3 <= card.count("<dt>") <= 5
    assert "<dt>50.0 to 54.0</dt><dd>Fréchet distance of 5 models</dd>" in page
    assert "<dt>0.500 → 0.600</dt><dd>mnistm → svhn, with DANN</dd>" in page


def test_page_and_markdown_have_the_same_scores(full: Path) -> None:
    page = page_of(full)
    text = (full / "report/report.md").read_text()
    assert "<td>50.00 (48.00 to 52.00)</td>" in page and "| 50.00 (48.00 to 52.00) |" in text
    assert "<td>+0.1000 (+0.0800 to +0.1200)</td>" in page and "| +0.1000 (+0.0800 to +0.1200) |" in text
    verdict = "sngan has a lower distance than dcgan, by 3 pairs of trainings: -9.00 (-10.00 to -8.00)."
    assert verdict in page and verdict in text


def test_live_figures_are_used_where_they_exist(full: Path) -> None:
    samples = full / "out/gan/dcgan-0-samples"
    assert '"kind":"tiles"' not in page_of(full)
    write_json(samples / "strip.json", {"kind": "tiles", "rows": ["</script>"], "columns": [""], "along": "rows"})
    write_json(full / "out/gan-summary/report-000/images.json", {"kind": "within", "figure": "grid.png"})
    page = page_of(full)
    assert page.count('<figure class="tiles">') == 1 and '"rows":["<\\/script>"]' in page
    assert page.count("images shows this.") == page_of(full).count("images shows this.") == 4  # two pairs, twice each


def test_a_map_brings_its_thumbnails(full: Path) -> None:
    folder = full / "out/adaptation/svhn-usps-evaluation"
    points = {"DANN": np.zeros((3, 2))}
    images = np.zeros((3, 28, 28, 3), np.uint8)
    live.points(folder / "tsne-class.png", points, images, {"digit": (np.array([0, 1, 2]), ["0", "1", "2"])})
    page = page_of(full)
    assert page.count('<figure class="map">') == 1 and page.count('class="thumbnails"') == 1
    (folder / "tsne-class-thumbnails.webp").unlink()
    with pytest.raises(UserError, match=r"tsne-class-thumbnails\.webp is missing; `dvc repro` makes it"):
        report.run(load())


def test_a_picture_keeps_its_pixels_if_it_has_few_colours(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 30), "white")
    image.paste((200, 30, 30), (5, 5, 20, 9))
    image.save(tmp_path / "chart.png")
    data = picture(tmp_path / "chart.png").removeprefix("data:image/webp;base64,")
    assert decoded(data).tobytes() == image.tobytes()
    cut = picture(tmp_path / "chart.png", 10).removeprefix("data:image/webp;base64,")
    assert decoded(cut).size == (40, 10)


def decoded(data: str) -> Image.Image:
    import base64
    import io

    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


def test_json_does_not_end_its_script() -> None:
    assert as_json({"a": "</script>"}) == '{"a":"<\\/script>"}'


def test_contents_are_plain_text() -> None:
    page = with_contents('<!-- contents --><h2 id="a">One <b>& two</b></h2><h2>no id</h2><h3 id="b">c</h3>')
    assert '<a href="#a">One &amp; two</a></li>\n<li class="level-3"><a href="#b">c</a>' in page


def test_columns_that_are_zero_for_every_model_are_left_out_and_named() -> None:
    head = "| images of | distance | recall | memorised |\n| --- | --- | --- | --- |\n"
    table = f"{head}| a | 1.0 | 0.000 | 0.000 |\n| b | 2.0 | 0.000 | 0.100 |\n| real | 0.5 | 0.287 | 0.500 |\n"
    text = slim(f"before\n\n{table}\nafter")
    assert "| images of | distance | memorised |\n| --- | --- | --- |\n| a | 1.0 | 0.000 |\n" in text
    assert "*Left out, because 0 for every model: recall (real 0.287).*" in text
    assert text.startswith("before\n\n") and text.endswith("\nafter")
    blank = slim("| a | b | c |\n| --- | --- | --- |\n| x |  | 1 |\n")
    assert blank == "| a | c |\n| --- | --- |\n| x | 1 |\n\n*Left out, because blank: b.*\n"
    # One model alone, and a value that is not zero, keep a column.
    assert slim(f"{head}| a | 1.0 | 0.000 | 0.000 |\n") == f"{head}| a | 1.0 | 0.000 | 0.000 |\n"
