"""Trained models outside the pipeline: exported folders, model cards, and models in MLflow."""
