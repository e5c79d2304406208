"""Downloads from a local server that can close connections early, refuse, send wrong files and ignore ranges."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dlcv.runtime.errors import UserError
from dlcv.sources import download
from dlcv.sources.download import Remote, fetch

CONTENT = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves `files`; the first `cuts` responses stop half way."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/data.bin": CONTENT}
        self.cuts = 0
        self.ranges = True
        self.kind = "application/octet-stream"
        self.requests: list[str | None] = []

    def url(self, name: str = "data.bin") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append(asked)
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", self.server.kind)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if self.server.cuts > 0:
            self.server.cuts -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(download, "PAUSE", 0.01)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def remote(*urls: str, content: bytes = CONTENT, algorithm: str = "sha256") -> Remote:
    return Remote("set/data.bin", urls, f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")


def test_a_download_is_checked_named_and_not_repeated(server: Server, tmp_path: Path) -> None:
    for algorithm in ("sha256", "md5"):
        assert fetch(remote(server.url(), algorithm=algorithm)) == tmp_path / "data/raw/set/data.bin"
    assert (tmp_path / "data/raw/set/data.bin").read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert [file.name for file in (tmp_path / "data/raw/set").glob("[!.]*")] == ["data.bin"]


def test_of_two_processes_one_downloads_and_the_other_waits(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, real = threading.Event(), download._download

    def slow(url: str, part: Path) -> None:
        assert waiting.wait(20), "the second one did not wait"
        real(url, part)

    monkeypatch.setattr(download, "_download", slow)
    monkeypatch.setattr("builtins.print", lambda *words, **_: waiting.set())
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: fetch(remote(server.url())).read_bytes(), range(2)))
    assert both == [CONTENT, CONTENT] and server.requests == [None]


def test_a_lost_connection_is_resumed_where_it_stopped(server: Server) -> None:
    server.cuts = 3
    assert fetch(remote(server.url())).read_bytes() == CONTENT
    starts = [int(asked.strip("bytes=-")) for asked in server.requests[1:] if asked]
    assert len(starts) == 3 and sorted(starts) == starts
    assert len(CONTENT) // 2 - download.CHUNK < starts[0] <= len(CONTENT) // 2


def test_the_next_run_resumes_after_a_killed_one(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data/raw/set").mkdir(parents=True)
    (tmp_path / "data/raw/set/data.bin.part").write_bytes(CONTENT[:1000])
    assert fetch(remote(server.url())).read_bytes() == CONTENT
    assert server.requests == ["bytes=1000-"]


def test_a_complete_part_needs_no_more_bytes(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data/raw/set").mkdir(parents=True)
    (tmp_path / "data/raw/set/data.bin.part").write_bytes(CONTENT)
    assert fetch(remote(server.url())).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_file_again(server: Server) -> None:
    server.cuts, server.ranges = 1, False
    assert fetch(remote(server.url())).read_bytes() == CONTENT


def test_the_second_server_is_used_if_the_first_refuses(server: Server) -> None:
    assert fetch(remote(server.url("gone.bin"), server.url())).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_deleted(server: Server, tmp_path: Path) -> None:
    expected = remote(server.url(), content=b"other")
    got = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(UserError, match=rf"data.bin \(sent another file: sha256:{got}\).*expected {expected.hash}$"):
        fetch(expected)
    assert list((tmp_path / "data/raw/set").glob("[!.]*")) == []


@pytest.mark.parametrize("why", ["404", "no server", "web page"])
def test_a_refusal_names_the_file_to_download_by_hand(server: Server, tmp_path: Path, why: str) -> None:
    url = {"404": server.url("gone.bin"), "no server": "http://127.0.0.1:9/data.bin", "web page": server.url()}[why]
    if why == "web page":
        server.kind = "text/html; charset=utf-8"
    reason = {"404": "HTTP 404 Not Found", "no server": "no connection", "web page": "sent a web page instead"}[why]
    with pytest.raises(UserError) as caught:
        fetch(remote(url))
    text = str(caught.value)
    assert text.startswith(f"cannot download data.bin from {url} ({reason}")
    assert f"put it at {tmp_path}/data/raw/set/data.bin and run again; expected sha256:" in text
    assert "\n" not in text and list((tmp_path / "data/raw/set").glob("[!.]*")) == []


def test_a_wrong_file_put_there_by_hand_is_refused_but_kept(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data/raw/set").mkdir(parents=True)
    (tmp_path / "data/raw/set/data.bin").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"data.bin is not the expected file \(sha256:.*\); delete it or put"):
        fetch(remote(server.url()))
    assert (tmp_path / "data/raw/set/data.bin").read_bytes() == b"mine"
