"""Unsupervised domain adaptation between sets of digits."""
