"""Denoising diffusion implicit models on 64x64 faces."""
