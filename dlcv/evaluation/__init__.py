"""Scores and their intervals, for every area."""
