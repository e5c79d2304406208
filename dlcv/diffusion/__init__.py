"""Diffusion: schedules, samplers and networks that several areas share."""
