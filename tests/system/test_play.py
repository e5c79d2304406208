"""`dlcv play` in headless Chromium, on narrow networks that were not trained: it works, and asks nobody else."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.conftest import REPOSITORY, files
from tests.models.conftest import trained  # noqa: F401  (a fixture)

pytest.importorskip("gradio", reason="needs gradio; `pip install 'dlcv[play]'` installs it")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SEVEN = [(90, 70), (190, 70), (130, 230)]


@pytest.fixture
def address(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: F811
    """The page's address. At the end the study has the same files, and gradio's cache is elsewhere."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "GRADIO_TEMP_DIR": str(tmp_path_factory.mktemp("cache")),
        # What asks another machine fails, and shows up as an error.
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    before = files(trained)
    command = [sys.executable, "-m", "dlcv", "play", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout and server.stderr
    try:
        line = server.stdout.readline()
        assert line == f"http://127.0.0.1:{port} (Ctrl+C ends it)\n", server.stderr.read()
        yield line.split()[0]
    finally:
        server.terminate()
        _, errors = server.communicate(timeout=20)
    assert "Traceback" not in errors, errors
    assert files(trained) == before


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    """The open page. At the end there was no error, and no request to another machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(30_000)
        errors: list[str] = []
        requests: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda asked: requests.append(asked.url))
        page.goto(address)
        yield page
        assert not errors
        hosts = {urlsplit(url).hostname for url in requests if not url.startswith(("data:", "blob:"))}
        assert hosts == {"127.0.0.1"}
        browser.close()


def picture(page: Page) -> str:
    """The address of the picture that is shown."""
    address = page.locator(".pixels img:visible").get_attribute("src")
    assert address
    return address


def changes(page: Page, before: str) -> None:
    """Wait for another picture than `before`."""
    page.wait_for_function(
        "before => [...document.querySelectorAll('.pixels img')].some(it => it.offsetParent && it.src != before"
        " && it.complete && it.naturalWidth > 0)",
        arg=before,
    )


def test_faces_appear_and_follow_the_seed_and_the_model(page: Page) -> None:
    changes(page, "")  # there are faces at the start
    first = picture(page)
    seed = page.get_by_label("seed", exact=True).locator("visible=true")
    seed.fill("1")
    seed.press("Tab")
    changes(page, first)
    second = picture(page)
    assert page.get_by_text("Move the latents").is_visible()
    page.get_by_label("model").locator("visible=true").click()
    page.get_by_role("option", name="ddim/unet-0").click()
    steps = page.get_by_label("number input for steps").locator("visible=true")
    steps.fill("2")
    steps.press("Tab")
    assert not page.get_by_text("Move the latents").is_visible()
    page.get_by_role("button", name="Draw", exact=True).locator("visible=true").click()
    changes(page, second)


def test_between_faces_and_digits_by_class(page: Page) -> None:
    for tab in ("Between two faces", "Digits by class"):
        page.get_by_role("tab", name=tab).click()
        page.get_by_role("button", name="Draw", exact=True).locator("visible=true").click()
        page.locator(".pixels img:visible").wait_for()


def test_a_digit_is_drawn_and_read(page: Page) -> None:
    page.get_by_role("tab", name="Read a digit").click()
    canvas = page.locator("#pad canvas")
    box = canvas.bounding_box()
    assert box is not None
    (x, y), *rest = [(box["x"] + x, box["y"] + y) for x, y in SEVEN]
    page.mouse.move(x, y)
    page.mouse.down()
    for x, y in rest:
        page.mouse.move(x, y, steps=10)
    page.mouse.up()
    table = page.locator("#readings table")
    table.wait_for()
    assert table.locator("td b").count() == 3  # DANN, self-training and the judge
    assert all(digit in "0123456789" for digit in table.locator("td b").all_inner_texts())
    page.locator("#seen img").wait_for()
    seen = page.locator("#seen img").get_attribute("src")
    page.get_by_label("number input for pixels").fill("28")
    page.get_by_label("number input for pixels").press("Tab")
    changes(page, seen or "")
    page.get_by_role("button", name="Clear").click()
    table.wait_for(state="detached")


def test_an_uploaded_digit_is_read_and_a_damaged_one_is_named(page: Page) -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 50), (200, 30, 30)).save(file, "PNG")
    page.get_by_role("tab", name="Read a digit").click()
    page.get_by_role("tab", name="Upload").click()
    upload = page.locator("input[type=file]").last
    upload.set_input_files({"name": "digit.png", "mimeType": "image/png", "buffer": file.getvalue()})
    page.locator("#readings table").wait_for()
    page.get_by_label("Remove Image").click()
    page.locator("#readings table").wait_for(state="detached")
    upload.set_input_files({"name": "cut.png", "mimeType": "image/png", "buffer": file.getvalue()[:60]})
    page.get_by_text("cut.png is truncated or damaged").wait_for()
