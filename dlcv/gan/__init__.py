"""Generative adversarial networks on 64x64 faces."""
