"""Diffusion models: a noise predictor of faces, sampled by DDIM, and class-conditional models of digits."""
