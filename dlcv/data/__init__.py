"""Digits and faces from four sources, in one prepared form."""
