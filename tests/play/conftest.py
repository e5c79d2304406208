"""The study of tests/models: narrow networks that were not trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcv.play.shelf import Shelf
from dlcv.runtime.config import load
from tests.models.conftest import trained  # noqa: F401  (a fixture)


@pytest.fixture
def shelf(trained: Path) -> Shelf:  # noqa: F811
    return Shelf(load())
