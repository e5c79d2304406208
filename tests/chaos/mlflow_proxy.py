"""A server of MLflow behind a proxy that fails on demand: it is silent, answers 500, or loses the answer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PASS, SILENT, ERROR, DEAD, LOST = "pass", "silent", "500", "dead", "lost"


class Proxy:
    """Passes requests on to `upstream`, unless `rule` says otherwise for a path. It listens after `start`.

    SILENT: accepts a request and answers nothing until the proxy stops. ERROR: status 500. DEAD: breaks the connection.
    LOST: passes the request on, and then breaks the connection.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.port = free_port()
        self.rule: Callable[[str], str] = lambda path: PASS
        self.over = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                what = proxy.rule(self.path)
                if what == SILENT:
                    proxy.over.wait()
                status, content = (500, b"broken") if what == ERROR else (0, b"")
                if what in (PASS, LOST):
                    status, content = self.passed_on(body)
                if what in (SILENT, DEAD, LOST):
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

            def passed_on(self, body: bytes) -> tuple[int, bytes]:
                kept = {key: value for key, value in self.headers.items() if key in ("Content-Type", "Accept")}
                request = urllib.request.Request(proxy.upstream + self.path, body or None, kept, method=self.command)
                try:
                    with urllib.request.urlopen(request) as response:
                        return response.status, response.read()
                except urllib.error.HTTPError as error:
                    return error.code, error.read()

            def log_message(self, *_: object) -> None:
                pass

            def finish(self) -> None:
                if self.connection.fileno() >= 0:
                    super().finish()

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.over.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """The address of a server whose database and artifacts are in `folder`."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            if server.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{address}/health").close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
