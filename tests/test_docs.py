"""The examples of docs/reference run, and each public function that is named there exists."""

from __future__ import annotations

import re
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from dlcv.models.export import export
from dlcv.runtime.config import load
from tests.models.conftest import trained  # noqa: F401  # a fixture

REFERENCE = Path(__file__).parent.parent / "docs/reference"
PAGES = sorted(REFERENCE.glob("*.md"))
EXPORTED = "# needs: a folder of dlcv export"  # which the test makes as sngan/


def examples(page: Path) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)


CASES = [(page, index) for page in PAGES for index in range(len(examples(page)))]


@pytest.mark.parametrize(("page", "index"), CASES, ids=[f"{page.stem}-{index}" for page, index in CASES])
def test_the_example_runs(page: Path, index: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    code = examples(page)[index]
    if EXPORTED in code:
        study: Path = request.getfixturevalue("trained")
        export("gan/sngan-0", load(), study / "sngan")
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
