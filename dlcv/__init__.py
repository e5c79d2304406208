"""A reproducible study of generative models and domain adaptation, built by `dvc repro`."""

__version__ = "0.1.0"
