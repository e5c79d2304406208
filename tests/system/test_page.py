"""`report/report.html` of the finished study in headless Chromium: it works, and asks nobody for anything."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

PAGE = Path(os.environ.get("REPORT", Path(__file__).parents[2] / "report/report.html")).resolve()
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SIZES = {"desk": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert PAGE.is_file(), f"{PAGE} is missing; `dvc repro` makes it"
    with sync_playwright() as playwright:
        # Without Debian's chromium, that of `playwright install chromium`. In a container there is no sandbox.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=SIZES)
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page on a desk and on a phone. At the end there was no error, and no request but that for the file."""
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(10_000)
    errors: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda asked: requests.append(asked.url))
    page.goto(PAGE.as_uri())
    yield page
    assert not errors
    assert [url for url in requests if not url.startswith(("data:", "blob:"))] == [PAGE.as_uri()]
    context.close()


def bring(page: Page, figure: Locator) -> None:
    """Show a figure, inside folded parts as well, and wait until it is drawn."""
    figure.evaluate("it => { for (let p = it; p; p = p.parentElement) if (p.tagName === 'DETAILS') p.open = true; }")
    figure.evaluate("it => it.scrollIntoView({behavior: 'instant', block: 'center'})")


def test_the_contents_jump(page: Page) -> None:
    folded = not page.locator("#contents details").evaluate("it => it.open")
    for target in ("diffusion", "gan-words", "origins"):
        if folded:
            page.locator("#contents summary").click()
        page.locator(f'#contents a[href="#{target}"]').click()
        # The heading arrives at the top, or as high as the end of the page lets it.
        page.wait_for_function(
            "id => { const top = document.getElementById(id).getBoundingClientRect().top;"
            " return top > -5 && (top < 120 || innerHeight + scrollY >= document.documentElement.scrollHeight - 5); }",
            arg=target,
        )


def test_every_slider_moves_its_pictures(page: Page) -> None:
    figures = page.locator("figure.tiles")
    assert figures.count() >= 15
    for figure in figures.all():
        bring(page, figure)
        figure.locator(".frames[data-ready]").wait_for(state="attached")
        pixels = "it => [...it.querySelectorAll('canvas')].map(canvas => canvas.toDataURL()).join()"
        slider = figure.locator("input[type=range]")
        before, label = figure.evaluate(pixels), figure.locator("output").inner_text()
        assert slider.evaluate("it => Number(it.max)") >= 1
        slider.focus()
        slider.press("Home")
        assert figure.evaluate(pixels) != before
        assert figure.locator("output").inner_text() != label


def test_a_point_shows_its_picture_and_filters_hide_points(page: Page) -> None:
    maps = page.locator("figure.map")
    assert maps.count() >= 5  # one of each scenario, and that of the VAE
    figure = page.locator("figure.map", has_text="t-SNE of the features").first
    bring(page, figure)
    figure.locator(".panels[data-ready]").wait_for(state="attached")
    panel = figure.locator(".js-plotly-plot").first
    points = panel.locator(".points path")
    whole = points.count()
    assert whole >= 20
    tip = page.locator("#tip")
    assert tip.is_hidden()
    panel.evaluate("it => it.scrollIntoView({behavior: 'instant', block: 'center'})")
    box = points.nth(3).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip.wait_for(state="visible")
    text = tip.inner_text()
    assert "digit: " in text and "domain: " in text and "predicted: " in text
    assert tip.locator("canvas").evaluate(
        "it => new Set(it.getContext('2d').getImageData(0, 0, it.width, it.height).data).size > 2"
    )
    figure.locator(".filters").get_by_label("source").uncheck()
    half = points.count()
    assert 0 < half < whole
    figure.locator(".filters").get_by_label("0", exact=True).uncheck()
    assert points.count() < half
    figure.locator(".filters").get_by_label("source").check()
    figure.locator(".filters").get_by_label("0", exact=True).check()
    assert points.count() == whole


def test_curves_zoom(page: Page) -> None:
    figure = page.locator("figure.chart").first
    bring(page, figure)
    chart = figure.locator(".js-plotly-plot").first
    chart.locator(".nsewdrag").first.wait_for(state="attached")
    span = "it => { const [a, b] = it._fullLayout.xaxis.range; return b - a; }"
    whole = chart.evaluate(span)
    chart.evaluate("it => it.scrollIntoView({behavior: 'instant', block: 'center'})")
    box = chart.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], middle, steps=5)
    page.mouse.up()
    page.wait_for_function("([it, whole]) => { const [a, b] = it._fullLayout.xaxis.range; return b - a < whole; }",
                           arg=[chart.element_handle(), whole])  # fmt: skip


def test_tables_sort_by_number(page: Page) -> None:
    table = page.locator("#gan-scores ~ table").first
    heading = table.locator("th").nth(1)
    column = "it => [...it.tBodies[0].rows].map(row => parseFloat(row.cells[1].textContent))"
    for order in ("ascending", "descending"):
        heading.click()
        values = table.evaluate(column)
        assert values == sorted(values, reverse=order == "descending") and len(set(values)) > 2
        assert heading.get_attribute("aria-sort") == order


def test_light_and_dark(page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.locator("#theme").click()
    assert page.evaluate(ground) == light
    page.locator("#theme").click()
    assert page.evaluate(ground) == dark


def test_it_does_not_scroll_sideways_and_every_picture_is_whole(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true; })")
    figures = page.locator("figure.chart, figure.tiles, figure.map")
    for figure in figures.all():
        bring(page, figure)
    page.wait_for_function(
        "document.querySelectorAll('figure.chart .panels:empty, figure.map .panels:not([data-ready]),"
        " figure.tiles .frames:not([data-ready])').length === 0"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    broken = "[...document.images].filter(it => !it.alt || (it.complete && !it.naturalWidth)).length"
    assert page.evaluate(broken) == 0
