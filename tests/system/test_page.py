"""The report's page in headless Chromium: `make test-system`, after `dvc repro`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright; `make test-system` installs it")

REPORT = Path(__file__).parent.parent.parent / "report" / "report.html"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REPORT.is_file(), reason="needs report/report.html; `dvc repro` makes it"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, such as Debian's package chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as api:
        opened = api.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["wide", "phone"])
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page at two widths; no error on its console and no request but for itself."""
    width, height = request.param
    shown = browser.new_page(viewport={"width": width, "height": height})
    errors: list[str] = []
    requests: list[str] = []
    shown.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on("request", lambda one: requests.append(one.url) if not one.url.startswith(("data:", "blob:")) else None)
    shown.goto(REPORT.as_uri())
    yield shown
    assert errors == [] and requests == [REPORT.as_uri()]
    shown.close()


def test_the_contents_jump(page: Any) -> None:
    contents = page.query_selector("nav details")
    if not contents.evaluate("element => element.open"):
        page.click("nav summary")
    link = page.query_selector_all("nav a")[-1]
    target = page.query_selector(f"[id='{link.get_attribute('href')[1:]}']")
    link.click()
    page.wait_for_function("element => Math.abs(element.getBoundingClientRect().top) < innerHeight", arg=target)


def test_nothing_scrolls_sideways(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("[...document.images].every((image) => image.alt)")


def test_a_slider_moves_the_picture(page: Any) -> None:
    slides = page.query_selector(".slides")
    slides.scroll_into_view_if_needed()
    picture = "element => element.querySelector('canvas').toDataURL()"
    before, label = slides.evaluate(picture), slides.query_selector("output").inner_text()
    slides.query_selector("input").focus()
    page.keyboard.press("Home")
    assert slides.evaluate(picture) != before and slides.query_selector("output").inner_text() != label


def test_a_point_shows_its_image_and_a_filter_hides_points(page: Any) -> None:
    box = page.query_selector(".map")
    box.scroll_into_view_if_needed()
    canvas = box.query_selector("canvas")
    # A point of the first map, where the page draws it.
    x, y = canvas.evaluate(
        """canvas => {
          const [x, y] = Object.values(JSON.parse(canvas.closest(".map").dataset.map).maps)[0][0];
          const frame = canvas.getBoundingClientRect();
          return [8 + x * (frame.width - 16), 8 + (1 - y) * (frame.height - 16)];
        }"""
    )
    canvas.hover(position={"x": x, "y": y})
    tip = box.query_selector(".tip")
    assert tip.is_visible() and tip.inner_text().strip()
    drawn = canvas.evaluate("canvas => canvas.toDataURL()")
    box.query_selector(".key").click()
    assert canvas.evaluate("canvas => canvas.toDataURL()") != drawn


def test_a_click_sorts_a_table(page: Any) -> None:
    values = "table => [...table.tBodies[0].rows].map((row) => parseFloat(row.cells[1].textContent))"
    table = next(one for one in page.query_selector_all("table") if "Fréchet" in one.inner_text())
    table.query_selector_all("th")[1].click()
    found = table.evaluate(values)
    assert found == sorted(found)


def test_charts_are_drawn_and_the_theme_changes(page: Any) -> None:
    page.wait_for_selector(".vega-lite canvas", state="attached")
    page.click("#theme")
    assert page.evaluate("document.documentElement.classList.contains('dark')")
