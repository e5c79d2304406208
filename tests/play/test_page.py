"""The page without a browser, and `dlcv play` where it cannot start. tests/system/test_play.py uses it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlcv.play.shelf import Shelf


@pytest.fixture
def gradio(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """gradio, with the environment variables as `dlcv play` sets them, and as they were afterwards."""
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    yield pytest.importorskip("gradio", reason="needs gradio; `pip install 'dlcv[play]'` installs it")


def tabs(page: Any) -> list[str]:
    return [block.label for block in page.blocks.values() if type(block).__name__ == "Tab"]


def text(page: Any) -> str:
    return "\n".join(str(block.value) for block in page.blocks.values() if type(block).__name__ == "Markdown")


def test_there_is_a_tab_for_everything_and_nothing_is_reported(gradio: Any, shelf: Shelf) -> None:
    from dlcv.play.page import build

    page = build(shelf)
    assert tabs(page) == ["Faces", "Between two faces", "Digits by class", "Read a digit", "Draw", "Upload"]
    assert page.analytics_enabled is False
    assert "Left out" not in text(page)
    assert "`dvc repro stages/gan/dvc.yaml` trains what is missing" in text(page)


def test_tabs_without_weights_are_left_out_and_named(gradio: Any, shelf: Shelf) -> None:
    from dlcv.play.page import build

    for area in ("diffusion", "gan", "vae"):
        shutil.rmtree(f"out/{area}")
    page = build(shelf)
    assert tabs(page)[:3] == ["Faces", "Between two faces", "Read a digit"]  # the faces of DDIM
    assert "Left out: Digits by class." in text(page)
    assert "diffusion/context-unet-0" in text(page) and "stages/diffusion/dvc.yaml" in text(page)


def test_an_error_of_the_user_is_one_line_on_the_page(gradio: Any, shelf: Shelf) -> None:
    from dlcv.play.page import build

    page = build(shelf)
    (draw,) = (one for one in page.fns.values() if "digits" in [block.label for block in one.inputs])
    with pytest.raises(gradio.Error) as error:
        draw.fn("diffusion/context-unet-0", [], 0, 1, None, 2, 0.0)
    assert error.value.message == "no digit is chosen; choose one or more"
    assert draw.fn("diffusion/context-unet-0", ["1"], 0, 1, gradio.Progress(), 2, 0.0).size[1] == 60


@pytest.mark.slow
def test_without_gradio_there_is_one_line(trained: Path, dlcv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "dlcv.play.page", raising=False)
    code, message = dlcv("play")
    assert code == 1
    assert message == "dlcv: error: the page needs gradio; install it with `pip install 'dlcv[play]'`\n"


def test_without_any_weights_there_is_one_line(gradio: Any, study: Path, dlcv) -> None:
    code, message = dlcv("play")
    assert code == 1
    assert message == "dlcv: error: no training in out/ has weights; run `dvc repro`, which writes them\n"


def test_a_taken_port_is_named(gradio: Any, trained: Path, dlcv) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, message = dlcv(f"play --port {port}")
    assert code == 1
    assert message.startswith(f"dlcv: error: cannot listen on 127.0.0.1:{port} (") and message.count("\n") == 1
