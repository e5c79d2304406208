"""Speed of the training loop, compared with a plain PyTorch loop: same network, batches and updates, one process.

    python benchmarks/loop.py [STEPS]

Prints the ratio of the times over alternating rounds. The loop's time includes curve, checkpoints, progress bar and the
check for values that are not finite, but not the tracking server.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ["DLCV_TRACKING"] = "off"

import numpy as np
import torch
import torch.nn.functional as F
from ours import seconds

from dlcv.adaptation.config import Adaptation, Augmentation, Dann
from dlcv.adaptation.methods.common import strength
from dlcv.adaptation.methods.dann import DANN
from dlcv.adaptation.networks.digits import build
from dlcv.data.batches import Shuffled, Together
from dlcv.runtime.config import load

ROUNDS = 7


def make(steps: int) -> tuple[DANN, Together]:
    """DANN with the parameters of params.yaml, and batches of random images."""
    params = load()
    section = params[Adaptation]
    none = Augmentation(rotation=0, shear=0, shift=0, scale=0, blur=0, blend=0, background=0, invert=0, noise=0)
    training = section.training.model_copy(
        update={"steps": steps, "ema_decay": 0.0, "augmentation": none, "schedule": "constant", "precision": "fp32"}
    )
    torch.manual_seed(0)
    network = build("lenet", training.dropout, training.instance_norm, section.networks.model_dump())
    network.to(memory_format=torch.channels_last)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(2000, 28, 28, 3), dtype=np.uint8)
    labels = np.arange(2000) % 10
    streams = {
        role: Shuffled(images, labels, training.batch_size, seed) for seed, role in enumerate(("source", "target"))
    }
    return DANN(
        network, training, params[Dann].model_copy(update={"joint_batch": True, "information": 0.0, "update": "joint"})
    ), Together(streams)


def ours(steps: int) -> float:
    method, batches = make(steps)
    return seconds(method, batches, steps, checkpoint_every=steps // 2)


def bare(steps: int) -> float:
    """The shortest loop that makes the same updates."""
    method, batches = make(steps)
    network, optimizer = method.networks["network"], method.optimizers["network"]
    training, dann = method.training, method.dann
    network.train()
    start = time.perf_counter()
    for step in range(steps):
        batch = next(batches)
        (source, labels), (target, _) = batch["source"], batch["target"]
        lambda_ = torch.tensor(strength(step / steps, dann.lambda_, dann.gamma))
        output = network(torch.cat([source, target]), lambda_)
        truth = torch.cat([labels.new_zeros(len(source)), labels.new_ones(len(target))])
        loss = F.cross_entropy(output.classes[: len(source)], labels, label_smoothing=training.label_smoothing)
        loss = loss + 2 * F.cross_entropy(output.domains, truth)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return time.perf_counter() - start


def main(steps: int = 60) -> None:
    repository = Path(__file__).parent.parent
    os.chdir(repository)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder
        ours(5), bare(5)  # warm up
        times: dict[str, list[float]] = {"ours": [], "bare": []}
        for _ in range(ROUNDS):
            # Alternating, so that a change of the machine's speed affects both.
            times["ours"].append(ours(steps))
            times["bare"].append(bare(steps))
    ratios = [a / b for a, b in zip(times["ours"], times["bare"], strict=True)]
    print(f"{ROUNDS} rounds of {steps} steps, {torch.get_num_threads()} threads")
    for name, values in times.items():
        print(f"{name}: median {1e3 * statistics.median(values) / steps:.2f} ms per step")
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"ratio ours / bare of the rounds: median {middle:.3f}, {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
