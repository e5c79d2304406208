"""What MLflow calls: an exported folder as a model of the flavour python_function.

MLflow finds this module by its name in the model's MLmodel file. It does not import mlflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcv.models.digits import DigitDiffusion, DigitReader
from dlcv.models.load import load

if TYPE_CHECKING:
    import pandas as pd


class Served:
    """An exported model with MLflow's method `predict`."""

    def __init__(self, folder: Path):
        self.model = load(folder)

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> np.ndarray:
        """Digits of images, or images of requests.

        Args:
            data: of a classifier, images, uint8 N x 28 x 28 x 3. Of a generative model, a table in which each row is a
                request: `count` images of the `seed` (0 by default), and of a model of digits of this `digit`.
            params: options of the model's `sample`, such as `steps`.

        Returns:
            int64 N, or the images of all rows in order, uint8 N x H x W x 3.
        """
        if isinstance(self.model, DigitReader):
            return self.model.predict(np.asarray(data))
        return np.concatenate([self._row(row, params or {}) for row in _rows(data)])

    def _row(self, row: Mapping[str, int], options: Mapping[str, Any]) -> np.ndarray:
        count, seed = int(row["count"]), int(row.get("seed") or 0)
        if isinstance(self.model, DigitDiffusion):
            return self.model.sample([int(row["digit"])] * count, seed, **options)
        return self.model.sample(count, seed, **options)  # type: ignore[union-attr]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows without empty cells."""
    return [{str(key): value for key, value in row.items() if value == value} for row in table.to_dict("records")]


def _load_pyfunc(path: str) -> Served:
    """The entry point that MLflow's `loader_module` needs."""
    return Served(Path(path))
