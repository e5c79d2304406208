"""Every `--help`: nothing is cut at 80 columns, and its example is a command that the parser takes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dlcv.cli import AREAS, app


def whole() -> typer.Typer:
    """The command with all areas, which the command line mounts one at a time."""
    both = typer.Typer()
    both.registered_commands = list(app.registered_commands)
    both.registered_groups = [group for group in app.registered_groups if group.name not in AREAS]
    both.registered_callback = app.registered_callback
    for area, (module, text) in AREAS.items():
        both.add_typer(import_module(module).app, name=area, help=text)
    return both


APP = whole()
ROOT: Any = typer.main.get_command(APP)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group with the words that call it."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


ALL = list(commands(ROOT))
SINGLE = [(path, command) for path, command in ALL if not getattr(command, "commands", {})]


def test_they_are_found() -> None:
    names = {" ".join(path) for path, _ in SINGLE}
    assert {"gan sample", "evaluate judge train", "tracking import", "ddim import", "data register"} <= names
    assert len(names) > 40


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_nothing_is_cut_at_80_columns(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    shown = CliRunner().invoke(APP, [*path, "--help"])
    assert shown.exit_code == 0
    assert "…" not in shown.output and "..." not in shown.output.replace("ARGS]...", "").replace("[ARGS]...", "")
    assert max(map(len, shown.output.splitlines())) <= 80


@pytest.mark.parametrize(("path", "command"), SINGLE, ids=[" ".join(path) for path, _ in SINGLE])
def test_it_ends_in_an_example_that_is_parsed(path: tuple[str, ...], command: Any) -> None:
    start = "Example: dlcv "
    assert command.epilog and command.epilog.startswith(start), "add epilog=example(...)"
    assert len(command.epilog) <= 78  # one line
    words = shlex.split(command.epilog.removeprefix(start))
    assert tuple(words[: len(path)]) == path
    with command.make_context(path[-1], words[len(path) :]) as context:
        assert context.params is not None
    for parameter in command.params:
        if parameter.name not in ("help", "install_completion", "show_completion"):
            assert getattr(parameter, "help", None), f"{parameter.name} has no help"
