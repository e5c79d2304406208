"""`dlcv play`: the page, until Ctrl+C. It requests nothing from other machines."""

from __future__ import annotations

import os

from dlcv.play.shelf import Shelf
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError


def serve(params: Params, host: str, port: int, browser: bool) -> None:
    """Serve the page, print its address, and wait.

    Args:
        browser: whether to open one.

    Raises:
        UserError: gradio is missing, nothing has weights, or the port is taken.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it when it is imported
    for name in ("no_proxy", "NO_PROXY"):  # gradio calls its own server once, which no proxy can reach
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), host, "127.0.0.1", "localhost"]))
    try:
        from dlcv.play.page import LOOK, build
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise UserError("the page needs gradio; install it with `pip install 'dlcv[play]'`") from None
    page = build(Shelf(params))
    try:
        page.launch(
            server_name=host,
            server_port=port,
            inbrowser=browser,
            share=False,
            quiet=True,
            ssr_mode=False,
            footer_links=[],
            max_file_size="20mb",
            prevent_thread_lock=True,
            **LOOK,
        )
    except OSError as error:
        raise UserError(f"cannot listen on {host}:{port} ({error}); name another port with --port") from None
    print(f"http://{host}:{port} (Ctrl+C ends it)", flush=True)
    page.block_thread()
