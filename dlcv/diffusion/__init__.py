"""Conditional diffusion on digits; its schedules, samplers and plain U-Net serve `ddim` too."""
