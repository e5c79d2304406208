"""The documentation: its examples run, its commands are parsed, what it names exists, and the site needs no network."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import pytest

from dlcv.models.export import export
from dlcv.runtime.config import load
from tests.models.conftest import trained  # noqa: F401  # a fixture
from tests.test_help import ROOT, UsageError, parse

REPOSITORY = Path(__file__).parent.parent
REFERENCE = REPOSITORY / "docs/reference"
PAGES = sorted(REFERENCE.glob("*.md"))
EXPORTED = re.compile(r"^# dlcv export (\S+) (\S+)$", re.M)  # what an example needs, and the test makes


def examples(page: Path) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)


CASES = [(page, index) for page in PAGES for index in range(len(examples(page)))]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "index"), CASES, ids=[f"{page.stem}-{index}" for page, index in CASES])
def test_the_example_runs(page: Path, index: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    code = examples(page)[index]
    if needed := EXPORTED.search(code):
        study: Path = request.getfixturevalue("trained")
        export(needed[1], load(), study / needed[2])
        for rest in ("params.yaml", "out"):  # an exported model needs neither
            path = study / rest
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "assert" in code and 3 <= len([line for line in code.splitlines() if line and line[0] != "#"]) <= 9
    exec(compile(code, f"{page.name}:{index}", "exec"), {})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_documented_exists_and_has_a_docstring(page: Path) -> None:
    names = re.findall(r"^::: (\S+)$", page.read_text(), re.M)
    assert len(names) > 4
    for name in names:
        module, attribute = name.rsplit(".", 1)
        assert getattr(import_module(module), attribute).__doc__, name


TEXTS = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]


def commands_in(text: str) -> list[list[str]]:
    """The `dlcv` commands in the bash blocks of a Markdown text, without what stands before and after them."""
    found = []
    for block in re.findall(r"^ *```bash\n(.*?)^ *```", text, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words[:1] == ["dlcv"]:
                    found.append(words[1:])
    return found


LINES = sorted({(page.name, shlex.join(words)) for page in TEXTS for words in commands_in(page.read_text())})


def test_commands_are_found() -> None:
    assert len(LINES) > 20
    text = "```bash\nmake setup && dlcv profile full  # later\ndvc repro\n```\n"
    assert commands_in(text) == [["profile", "full"]]


@pytest.mark.parametrize(("page", "words"), LINES, ids=[": ".join(line) for line in LINES])
def test_a_command_in_a_block_is_parsed(page: str, words: str) -> None:
    parse(shlex.split(words))


INLINE = sorted({words for page in TEXTS for words in re.findall(r"`dlcv ([a-z][^`]*)`", page.read_text())})


def unknown(words: list[str]) -> list[str]:
    """The commands and options in the words of a text that do not exist; arguments may be missing there."""
    command, rest = ROOT, list(words)
    while rest and getattr(command, "commands", {}):
        name = rest.pop(0)
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    if command.context_settings.get("ignore_unknown_options"):  # passes them on
        return []
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in rest if word.startswith("--") and word not in options]


@pytest.mark.parametrize("words", INLINE)
def test_a_command_in_a_sentence_exists(words: str) -> None:
    assert not unknown(shlex.split(words.split("&&")[0]))


def test_wrong_commands_would_be_found() -> None:
    assert unknown(["gan", "sampel"]) == ["sampel"] and unknown(["gan", "sample", "--number", "3"]) == ["--number"]
    with pytest.raises((AssertionError, UsageError)):
        parse(["gan", "sample", "sngan", "--number", "3"])


class Requests(HTMLParser):
    """What a page would request by itself: scripts, styles, fonts, images and frames; links are followed by readers."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Collect the addresses of one element."""
        values = dict(attributes)
        if tag == "a" or values.get("rel") in ("canonical", "next", "prev"):
            return
        self.found += [values[name] or "" for name in ("src", "srcset", "href", "data", "poster") if name in values]
        if "mermaid" in (values.get("class") or "").split():  # for which Material's script fetches another
            self.found.append("https://unpkg.com/mermaid")


REMOTE = re.compile(r"(https?:)?//")


def test_requests_are_found() -> None:
    page = (
        '<script src="https://a/b.js"></script><link rel=stylesheet href=//c><a href="https://d">d</a><i class=mermaid>'
    )
    assert [address for address in Requests(page).found if REMOTE.match(address)] == [
        "https://a/b.js",
        "//c",
        "https://unpkg.com/mermaid",
    ]


@pytest.mark.slow
def test_the_site_is_built_without_warnings_and_requests_nothing(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    built = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES) + 8
    for page in pages:
        assert not [address for address in Requests(page.read_text()).found if REMOTE.match(address)], page
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style.read_text()), style


def test_make_docs_counts_warnings() -> None:
    (line,) = re.findall(r"^\t.*mkdocs build.*$", (REPOSITORY / "Makefile").read_text(), re.M)
    flags = line.split("#")[0].split()
    assert "--strict" in flags and "--quiet" not in flags and "-q" not in flags
