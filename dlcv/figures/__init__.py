"""Figures as PNG files: grids of images, charts, and the list of a folder's figures."""
