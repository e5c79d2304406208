"""Speed of the training of a GAN, compared with a tutorial: same networks, batch size, optimizers and losses.

    python benchmarks/gan.py [STEPS [WIDTH [BATCH_SIZE]]]

The tutorial loop is like PyTorch's DCGAN tutorial: an ImageFolder of PNG files, a DataLoader with two workers, the
contiguous memory format, BCELoss of a Sigmoid, `.item()` in every step. Ours is `dlcv.engine.loop.train` as in a stage,
with mirrored images, the averaged generator, the curve and the check for values that are not finite, but without
the tracking server.

Prints images per second of both, and the ratio, over alternating rounds. DLCV_FACES names a folder of 64x64 PNG files;
without it, smooth random images are made.
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
from ours import seconds
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, RandomSampler
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

from dlcv.data.batches import Shuffled
from dlcv.gan.config import Gan
from dlcv.gan.networks import LATENT, Discriminator, Generator, build
from dlcv.gan.step import GAN
from dlcv.runtime.config import load

MODEL = "dcgan"
ROUNDS = 5
IMAGES = 1000
WORKERS = 2  # the tutorial's
EMA_DECAY = 0.999


def networks(width: float) -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    return build(MODEL, width, width, init_std=0.02)


def ours(images: np.ndarray, steps: int, width: float, batch_size: int) -> float:
    changes = {"steps": steps, "batch_size": batch_size, "precision": "fp32"}
    settings = load()[Gan].settings[MODEL].model_copy(update=changes)
    generator, discriminator = networks(width)
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)
    method = GAN(generator, discriminator, settings)
    batches = Shuffled(images, np.zeros(len(images)), batch_size, seed=0)
    return seconds(method, batches, steps, ema_decay=EMA_DECAY, averaged=["generator"])


def tutorial(folder: Path, steps: int, width: float, batch_size: int) -> float:
    """The loop of the tutorial, without the time in which its workers start."""
    generator, discriminator = networks(width)
    discriminator_with_sigmoid = nn.Sequential(discriminator, nn.Sigmoid())
    transform = Compose([Resize(64), CenterCrop(64), ToTensor(), Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])
    dataset = ImageFolder(str(folder), transform)
    # Only as many images as are used: no worker reads images while the other loop is measured.
    sampler = RandomSampler(dataset, replacement=True, num_samples=(steps + 1) * batch_size)
    loader = iter(DataLoader(dataset, batch_size=batch_size, sampler=sampler, num_workers=WORKERS))
    next(loader)
    criterion = nn.BCELoss()
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=0.0002, betas=(0.5, 0.999))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=0.0002, betas=(0.5, 0.999))
    history = []
    start = time.perf_counter()
    for data, _ in loader:
        # Update D: maximise log D(x) + log(1 - D(G(z))).
        discriminator.zero_grad()
        label = torch.full((data.size(0),), 1.0)
        output = discriminator_with_sigmoid(data)
        loss_real = criterion(output, label)
        loss_real.backward()
        d_x = output.mean().item()
        fake = generator(torch.randn(data.size(0), LATENT))
        label.fill_(0.0)
        output = discriminator_with_sigmoid(fake.detach())
        loss_fake = criterion(output, label)
        loss_fake.backward()
        d_g_z1 = output.mean().item()
        discriminator_optimizer.step()
        # Update G: maximise log D(G(z)).
        generator.zero_grad()
        label.fill_(1.0)
        output = discriminator_with_sigmoid(fake)
        loss = criterion(output, label)
        loss.backward()
        d_g_z2 = output.mean().item()
        generator_optimizer.step()
        history.append((loss.item(), loss_real.item() + loss_fake.item(), d_x, d_g_z1, d_g_z2))
    taken = time.perf_counter() - start
    assert len(history) == steps
    return taken


def make_images(folder: Path) -> None:
    """Smooth random images with some noise, whose PNG files are about as large as those of photographs."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(IMAGES):
        smooth = Image.fromarray(rng.integers(256, size=(8, 8, 3), dtype=np.uint8)).resize((64, 64))
        grain = rng.integers(-4, 5, size=(64, 64, 3))
        Image.fromarray((np.asarray(smooth) + grain).clip(0, 255).astype(np.uint8)).save(folder / f"{index:04d}.png")


def main(steps: int = 60, width: float = 0.5, batch_size: int = 64) -> None:
    os.chdir(Path(__file__).parent.parent)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["DVC_ROOT"] = temporary
        folder = Path(temporary) / "images"  # ImageFolder reads its subfolders as classes
        if given := os.environ.get("DLCV_FACES"):
            folder.mkdir()
            (folder / "faces").symlink_to(Path(given).resolve())
        else:
            make_images(folder / "faces")
        files = sorted((folder / "faces").glob("*.png"))
        images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
        size = files[0].stat().st_size
        print(f"{len(files)} PNG files of {size / 1024:.1f} KiB; {MODEL}, width {width}, batches of {batch_size}")
        ours(images, 5, width, batch_size), tutorial(folder, 5, width, batch_size)  # warm up
        rates: dict[str, list[float]] = {"ours": [], "tutorial": []}
        for _ in range(ROUNDS):
            # Alternating, so that a change of the machine's speed affects both.
            rates["ours"].append(steps * batch_size / ours(images, steps, width, batch_size))
            rates["tutorial"].append(steps * batch_size / tutorial(folder, steps, width, batch_size))
    ratios = [a / b for a, b in zip(rates["ours"], rates["tutorial"], strict=True)]
    print(f"{ROUNDS} rounds of {steps} steps, {torch.get_num_threads()} threads, {os.cpu_count()} cores")
    for name, values in rates.items():
        print(f"{name}: median {statistics.median(values):.1f} images/s, {min(values):.1f} to {max(values):.1f}")
    medians = statistics.median(rates["ours"]) / statistics.median(rates["tutorial"])
    print(f"ratio ours / tutorial: {medians:.3f} of the medians, {min(ratios):.3f} to {max(ratios):.3f} of the rounds")


if __name__ == "__main__":
    arguments = [kind(word) for kind, word in zip((int, float, int), sys.argv[1:], strict=False)]
    main(*arguments)
