"""Small trainings by one process or by several, on the same images and random numbers; torchrun starts this module.

A process plays one rank, or all ranks in turn. The batch of rank N, and its random numbers, come from generators with
the seed N: one process that plays all ranks sees what several processes see together.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from dlcv.adaptation.config import Adaptation, Dann, Training
from dlcv.adaptation.methods.dann import DANN
from dlcv.adaptation.methods.supervised import Supervised
from dlcv.adaptation.networks.digits import DomainNetwork
from dlcv.data.batches import Shuffled, Together
from dlcv.engine import loop
from dlcv.engine.arithmetic import make_accelerator
from dlcv.gan.networks import build
from dlcv.gan.step import GAN
from dlcv.runtime.checkpoints import Checkpoints
from dlcv.runtime.config import load
from dlcv.runtime.tracking import Run
from tests.gan.conftest import settings

RANKS = 2
STEPS = 6
BATCH = 4  # images of each rank
Case = tuple[loop.Method, loop.Batches]
Result = tuple[dict[str, dict[str, Tensor]], list[loop.Row]]


class AsOne(Together):
    """The batches of several ranks as one."""

    def __next__(self) -> Any:
        batches = super().__next__().values()
        return tuple(_in_turn(values) for values in zip(*batches, strict=True))


def supervised(ranks: Sequence[int]) -> Case:
    """The network has a head that this method leaves unused."""
    return Supervised(_network(), _training()), Together({"source": _digits(ranks, seed=0)})


def dann(ranks: Sequence[int]) -> Case:
    """Two steps of optimizers, each on a part of the network, and a pass for each domain."""
    own = load()[Dann].model_copy(update={"update": "alternating", "joint_batch": False, "information": 0.0})
    sources = {"source": _digits(ranks, seed=0), "target": _digits(ranks, seed=1)}
    return DANN(_network(), _training(), own), Together(sources)


def gan(ranks: Sequence[int]) -> Case:
    """Two networks, spectral norm, and the gradient of a gradient, in two updates of the discriminator each step."""
    made = settings("wgan-gp", discriminator_steps=2, steps=STEPS, flip=False, augment=[])
    assert made.gradient_penalty
    networks = build(made.architecture, 1 / 64, 1 / 64, made.init_std)
    _without_batch_norm(networks[0])
    method = GAN(*networks, made)
    # Adam divides gradients near 0 by their own size, and would enlarge the rounding of a sum in another order.
    method.optimizers = {
        name: torch.optim.SGD(network.parameters(), 0.0005) for name, network in method.networks.items()
    }
    method.schedulers = []
    return method, _images(ranks, size=64, seed=0, batch_size=2 * BATCH)


CASES: Mapping[str, Callable[[Sequence[int]], Case]] = {"supervised": supervised, "dann": dann, "gan": gan}


def train(case: str, ranks: Sequence[int], checkpoints: str, kill_at: int = -1) -> Result:
    """Train as `ranks`; die in step `kill_at`, counted from 1.

    Returns:
        The weights of each network, and of its average, and the curve.
    """
    torch.manual_seed(0)
    method, batches = CASES[case](ranks)
    networks = dict(method.networks)
    step = method.step
    done: list[None] = []

    def counted(*arguments: Any) -> dict[str, Tensor]:
        done.append(None)
        if len(done) == kill_at:
            raise KeyboardInterrupt
        return step(*arguments)

    accelerator = make_accelerator()
    processes = (accelerator.process_index, accelerator.num_processes)
    with _random_numbers(ranks), mock.patch.object(method, "step", counted):
        trained = loop.train(
            method,
            batches,
            accelerator=accelerator,
            name=case,
            steps=STEPS,
            checkpoints=Checkpoints("test", checkpoints, "f" * 64, "cpu", *processes),
            run=Run(None),
            ema_decay=0.5,
            log_every=2,
            checkpoint_every=2,
        )
    averages = {f"average of {name}": network for name, network in trained.networks.items()}
    return {name: network.state_dict() for name, network in (networks | averages).items()}, trained.curve


@contextmanager
def _random_numbers(ranks: Sequence[int]) -> Iterator[None]:
    """Let torch draw the random numbers of a batch from one generator for each rank."""

    def drawn(draw: Callable[..., Tensor], generators: Sequence[torch.Generator], count: int, *shape: int) -> Tensor:
        return _in_turn([draw(count // len(ranks), *shape, generator=generator) for generator in generators])

    with ExitStack() as stack:
        for name in ("rand", "randn"):
            generators = [torch.Generator().manual_seed(rank) for rank in ranks]
            draw = partial(drawn, getattr(torch, name), generators)
            stack.enter_context(mock.patch.object(torch, name, lambda *shape, draw=draw, device=None: draw(*shape)))
        yield


def _in_turn(parts: Sequence[Tensor]) -> Tensor:
    """The rows of the ranks in turn: where a step cuts its batch, each part has rows of every rank."""
    return torch.stack(list(parts), 1).flatten(0, 1)


def _images(ranks: Sequence[int], size: int, seed: int, batch_size: int = BATCH) -> AsOne:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, size=(20, size, size, 3), dtype=np.uint8)
    labels = random.integers(0, 10, size=20)
    return AsOne({str(rank): Shuffled(images, labels, batch_size, seed=rank) for rank in ranks})


_digits = partial(_images, size=28)


def _network() -> DomainNetwork:
    """Without BatchNorm, whose statistics are those of the images of one process."""
    features = nn.Sequential(nn.Flatten(), nn.Linear(3 * 28 * 28, 16), nn.LeakyReLU())
    return DomainNetwork(features, nn.Linear(16, 10), nn.Linear(16, 2), instance_norm=False)


def _training() -> Training:
    training = load()[Adaptation].training
    plain = training.augmentation.model_copy(update=dict.fromkeys(type(training.augmentation).model_fields, 0))
    return training.model_copy(update={"augmentation": plain, "steps": STEPS, "batch_size": BATCH})


def _without_batch_norm(network: nn.Module) -> None:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.modules.batchnorm._BatchNorm):
                setattr(module, name, nn.GroupNorm(1, child.num_features))


def main(folder: Path) -> None:
    """Each case as one rank, with a file for each process; "resumed" is the case "dann", killed in the middle."""
    rank = make_accelerator().process_index
    results = {case: train(case, [rank], case) for case in CASES}
    with suppress(KeyboardInterrupt):
        train("dann", [rank], "resumed", kill_at=6)
    results["resumed"] = train("dann", [rank], "resumed")
    torch.save(results, folder / f"{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
