"""A reproducible study of generative models and domain adaptation, built by `dvc repro`.

`load(DIR)` opens a model that `dlcv export` wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcv.models.load import load

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `load`, and torch with it, when it is first used: the command has to start quickly."""
    if name == "load":
        from dlcv.models.load import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
