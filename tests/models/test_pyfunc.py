"""The model that MLflow calls, without MLflow."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlcv import load
from dlcv.models.export import export
from dlcv.models.pyfunc import _load_pyfunc
from dlcv.runtime.config import load as load_params
from dlcv.runtime.mlflow_models import REQUIREMENTS
from tests.conftest import REPOSITORY

OPTIONAL = {"pydot", "ruamel-yaml-clib"}  # torch and ruamel.yaml import them where they are installed


def test_each_row_of_a_table_is_a_request(trained: Path) -> None:
    folder = export("gan/sngan-0", load_params(), Path("gan"))
    table = pd.DataFrame({"count": [2, 1], "seed": [np.nan, 5]})
    model = load(folder)
    wanted = np.concatenate([model.sample(2, seed=0), model.sample(1, seed=5)])
    np.testing.assert_array_equal(_load_pyfunc(str(folder)).predict(table), wanted)


def test_digits_and_options(trained: Path) -> None:
    folder = export("diffusion/context-unet-0", load_params(), Path("digits"))
    table = pd.DataFrame({"digit": [7, 3], "count": [1, 2]})
    wanted = np.concatenate([load(folder).sample([7], steps=2, w=0.0), load(folder).sample([3, 3], steps=2, w=0.0)])
    np.testing.assert_array_equal(_load_pyfunc(str(folder)).predict(table, {"steps": 2, "w": 0.0}), wanted)


def test_images_are_read(trained: Path, images: np.ndarray) -> None:
    folder = export("evaluation/judge/0", load_params(), Path("judge"))
    np.testing.assert_array_equal(_load_pyfunc(str(folder)).predict(images), load(folder).predict(images))


@pytest.mark.slow
def test_the_requirements_are_what_is_imported() -> None:
    code = """
import sys
from dlcv.models import digits, faces, pyfunc
from dlcv.adaptation.networks import digits, gta
print(*{name.split(".")[0] for name in sys.modules})
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=True)
    owners = packages_distributions()
    imported = {plain(owner) for name in done.stdout.split() for owner in owners.get(name, [])}
    assert imported - {"dlcv"} - OPTIONAL <= with_dependencies({"mlflow", "setuptools", *REQUIREMENTS})
    assert {plain(name) for name in REQUIREMENTS} - {"pandas"} <= imported  # which MLflow gives to `predict`


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_dependencies(names: set[str]) -> set[str]:
    """Installed packages that `names` need, optional ones too."""
    found: set[str] = set()
    queue = [plain(name) for name in names]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        try:
            wanted = requires(name) or []
        except PackageNotFoundError:
            continue
        found.add(name)
        queue += [plain(re.split(r"[^\w.-]", one)[0]) for one in wanted if "extra ==" not in one]
    return found
