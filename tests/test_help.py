"""Every `--help`: nothing is cut at 80 columns, its example is parsed, and its choices are those that are declared."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from dlcv.adaptation.config import ADAPTING, METHODS, Adaptation
from dlcv.cli import AREAS, UsageError, app
from dlcv.data.config import DOMAINS, SETS
from dlcv.diffusion.config import Diffusion
from dlcv.evaluation.extractors.names import SCORES
from dlcv.gan.config import Gan
from dlcv.runtime.config import load
from dlcv.runtime.options import declared, profiles, seed_option

PARAMS = load(Path(__file__).parent.parent / "params.yaml")


def whole() -> typer.Typer:
    """The command with all areas, which the command line mounts one at a time."""
    both = typer.Typer()
    both.info = app.info
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


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_nothing_is_cut_at_80_columns(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    shown = CliRunner().invoke(APP, [*path, "--help"])
    assert shown.exit_code == 0
    # Dots at the end of an argument say that it may be given several times.
    assert "…" not in shown.output and "..." not in re.sub(r"(ARGS\]|DIR\}?)\.\.\.", "", shown.output)
    assert max(map(len, shown.output.splitlines())) <= 80
    assert not re.search(r"<[^<>\s]*\|[^<>\s]*(\s|$)", shown.output), "choices that are cut: give a metavar"


def parse(words: list[str]) -> list[str]:
    """Parse a command line without running it; the words that call its command."""
    command, path = ROOT, list[str]()
    while getattr(command, "commands", {}):
        name = words[len(path)] if len(words) > len(path) else None
        assert name in command.commands, f"dlcv {' '.join(words)}: there is no {name}"
        command = command.commands[name]
        path.append(name)
    with command.make_context(path[-1], words[len(path) :]):
        return path


@pytest.mark.slow
@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_it_ends_in_an_example_that_is_parsed(path: tuple[str, ...], command: Any) -> None:
    start = "Example: dlcv "
    assert command.epilog and command.epilog.startswith(start), "add epilog=example(...)"
    assert len(command.epilog) <= 78  # one line
    shown = CliRunner().invoke(APP, [*path, "--help"])
    assert shown.output.rstrip().endswith(command.epilog)
    called = parse(shlex.split(command.epilog.removeprefix(start)))
    assert tuple(called[: len(path)]) == path


@pytest.mark.parametrize("words", ["gan sampel sngan", "gan sample sngan --no-such 1", "gan sample", "gan"])
def test_a_stale_example_is_found(words: str) -> None:
    with pytest.raises((AssertionError, UsageError)):
        parse(words.split())


@pytest.mark.parametrize(("path", "command"), SINGLE, ids=[" ".join(path) for path, _ in SINGLE])
def test_each_parameter_has_a_help_in_lower_case_and_each_number_a_range(path: tuple[str, ...], command: Any) -> None:
    shown = {parameter.name: parameter.help for parameter in command.params}
    for name, hint in get_type_hints(inspect.unwrap(command.callback), include_extras=True).items():
        if get_origin(hint) is not Annotated:  # the return type, and the context
            continue
        kind, option = get_args(hint)
        text = shown[name]
        assert text, f"{name} has no help"
        first = text.split()[0]
        assert not first[0].isupper() or first.isupper(), f"{name}: {text}"  # PNG may begin it
        assert not text.endswith("."), f"{name}: {text}"
        if {int, float} & {kind, *get_args(kind)}:
            assert option.min is not None, f"{name} has no range"


CHOICES = [
    ("profile", "name", list(profiles())),
    ("data digits", "domain", list(DOMAINS)),
    ("data register", "set_name", list(SETS)),
    ("evaluate reference", "name", ["faces", *(f"digits/{domain}" for domain in DOMAINS)]),
    ("evaluate images", "extractor", list(SCORES)),
    ("gan train", "model", PARAMS[Gan].models),
    ("gan train", "seed", PARAMS[Gan].seeds),
    ("diffusion sample", "model", PARAMS[Diffusion].models),
    ("adaptation train", "method", list(METHODS)),
    ("adaptation train", "name", [*DOMAINS, *PARAMS[Adaptation].scenarios]),
    ("adaptation train", "variant", list(PARAMS[Adaptation].variants)),
    ("adaptation evaluate", "scenario", list(PARAMS[Adaptation].scenarios)),
    ("adaptation predict", "method", list(ADAPTING)),
]


@pytest.mark.parametrize(("words", "name", "choices"), CHOICES, ids=[f"{words} {name}" for words, name, _ in CHOICES])
def test_the_choices_are_those_that_are_declared(words: str, name: str, choices: list[Any]) -> None:
    (command,) = (command for path, command in ALL if " ".join(path) == words)
    (text,) = (parameter.help for parameter in command.params if parameter.name == name)
    assert not [choice for choice in choices if not re.search(rf"(?<![\w-]){re.escape(str(choice))}(?![\w-])", text)]


def test_the_choices_are_those_of_the_study_here(study: Path, set_params: Any) -> None:
    set_params({"gan.models": ["mine", "sngan"], "gan.seeds": [4, 5]})
    assert declared("gan.models") == "mine, sngan"
    assert "the first of gan.seeds (4, 5)" in seed_option("the training", "gan.seeds").help
    assert declared("adaptation.scenarios") == ", ".join(PARAMS[Adaptation].scenarios)


@pytest.mark.parametrize("text", [None, "gan: [", "gan: 3", "gan: {models: null}", "- a"])
def test_without_a_readable_study_they_are_those_that_ship(study: Path, text: str | None) -> None:
    if text is None:
        Path("params.yaml").unlink()
    else:
        Path("params.yaml").write_text(text)
    assert declared("gan.models") == ", ".join(PARAMS[Gan].models)
    with pytest.raises(LookupError, match=r"gan\.model$"):
        declared("gan.model")
