"""Speed of DDIM, compared with the evaluations of its network alone.

    python benchmarks/sampling.py [IMAGES [STEPS [WIDTH]]]

Alternates `dlcv.diffusion.faces.generate`, with clipped x0 and the noise recomputed from it, and the same number of
evaluations of the same network on one batch. Prints the ratio of the times.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import torch

from dlcv.data.latents import normal
from dlcv.diffusion.config import Ddim
from dlcv.diffusion.faces import SHAPE, generate
from dlcv.diffusion.samplers import Model
from dlcv.diffusion.schedule import linear
from dlcv.diffusion.unet import UNet
from dlcv.runtime.config import load

ROUNDS = 3


def main(images: int = 64, steps: int = 50, width: float | None = None) -> None:
    section = load(Path(__file__).parent.parent / "params.yaml")[Ddim]
    settings = section.network.model_dump() | ({} if width is None else {"width": width})
    torch.manual_seed(0)
    network = UNet(**settings).to(memory_format=torch.channels_last).eval()
    model = Model(network, linear(**section.schedule.model_dump()), section.training.prediction, {})
    sampling = section.sampling.model_copy(update={"steps": steps, "clip_x0": True, "rederive_epsilon": True})
    noise, t = normal(images, SHAPE, 0), torch.full((images,), 500)
    batch = noise.contiguous(memory_format=torch.channels_last)

    def sampled(eta: float) -> float:
        start = time.perf_counter()
        generate(model, noise, list(range(images)), sampling.model_copy(update={"eta": eta}))
        return time.perf_counter() - start

    def bare() -> float:
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(steps):
                network(batch, t)
        return time.perf_counter() - start

    with torch.inference_mode():
        network(batch, t)  # warm up
    ratios: dict[float, list[float]] = {0.0: [], 1.0: []}
    for _ in range(ROUNDS):
        for eta, values in ratios.items():
            # Alternating, so that a change of the machine's speed affects both.
            values.append(sampled(eta) / bare())
    print(f"{images} images, {steps} steps, width {settings['width']}, {torch.get_num_threads()} threads")
    for eta, values in ratios.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"eta {eta:g}: ratio sampler / network alone, median {middle:.3f}, {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((int, int, float), sys.argv[1:], strict=False)))
