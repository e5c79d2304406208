"""Grids of images and charts, as PNG."""
