"""Metrics as pure functions of features, labels and predictions."""
