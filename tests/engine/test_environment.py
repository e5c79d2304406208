"""The environment that the command sets before NumPy and torch are imported."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcv import cli
from dlcv.engine import environment
from dlcv.runtime import compute

Command = Callable[[str], tuple[int, str]]


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the tests is restored after each of these."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


def test_params_replace_what_the_user_has_set(study: Path, set_params: Callable[[dict[str, Any]], None]) -> None:
    set_params({"compute.portable": True, "compute.threads": 3, "compute.compile": "reduce-overhead"})
    os.environ |= {"OMP_NUM_THREADS": "7", "MKL_CBWR": "AVX512", "ATEN_CPU_CAPABILITY": "default"}
    environment.prepare_from(study / "params.yaml")
    assert {name: os.environ[name] for name in environment.VARIABLES} == environment.VARIABLES
    assert {os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")} == {"3"}
    assert compute.settings() == {"portable": True, "threads": 3, "compile": "reduce-overhead"}


def test_without_portable_only_the_threads_are_set(study: Path, set_params: Callable[[dict[str, Any]], None]) -> None:
    set_params({"compute.portable": False, "compute.threads": 2})
    for name in environment.VARIABLES:
        os.environ.pop(name, None)
    environment.prepare_from(study / "params.yaml")
    assert not set(environment.VARIABLES) & set(os.environ)
    assert compute.settings() == {"portable": False, "threads": 2, "compile": "none"}


@pytest.mark.parametrize("text", [None, "", "compute: [", "compute: {portable: true, threads: many}", "seed: 0"])
def test_a_file_that_is_wrong_is_left_to_its_check(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "params.yaml").write_text(text)
    environment.prepare_from(tmp_path / "params.yaml")
    assert compute.settings() == {"portable": True, "threads": 1, "compile": "none"}


def test_unset_threads_are_unknown() -> None:
    for name in ("OMP_NUM_THREADS", "DLCV_PORTABLE", "DLCV_COMPILE"):
        del os.environ[name]
    assert compute.settings() == {"portable": False, "threads": None, "compile": "none"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("gan train dcgan", {"portable": False, "threads": 2, "compile": "none"}),
        ("data digits usps", {"portable": True, "threads": 1, "compile": "none"}),  # data do not depend on `compute`
        ("params check", {"portable": True, "threads": 9, "compile": "none"}),  # as it was
    ],
)
def test_the_command_sets_it_before_an_area_is_imported(
    dlcv: Command,
    set_params: Callable[[dict[str, Any]], None],
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    expected: dict[str, Any],
) -> None:
    seen = []

    def mount(area: str | None) -> Callable[[], None]:
        seen.append(compute.settings())
        raise SystemExit(0)

    environment.prepare(portable=True, threads=9)
    set_params({"compute.portable": False, "compute.threads": 2})
    monkeypatch.setattr(cli, "mount", mount)
    dlcv(words)
    assert seen == [expected]


def test_the_name_of_the_cpu() -> None:
    assert compute.cpu()
