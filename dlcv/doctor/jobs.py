"""The trainings of params.yaml, each as a method with new weights and random batches: no data are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dlcv.adaptation.config import METHODS, Adaptation
from dlcv.adaptation.config import SIZE as DIGIT_SIZE
from dlcv.adaptation.train import plan_of
from dlcv.adaptation.trainings import Task, trainings, variants_of
from dlcv.diffusion import train_digits, train_faces
from dlcv.diffusion.config import FACE_SIZE, Ddim, Diffusion
from dlcv.diffusion.networks.build import build as build_digits
from dlcv.diffusion.schedule import linear
from dlcv.diffusion.unet import UNet
from dlcv.engine.loop import Method
from dlcv.evaluation.config import Judge
from dlcv.evaluation.judge.network import JudgeNetwork
from dlcv.evaluation.judge.train import Classification
from dlcv.gan.config import Gan, settings_of
from dlcv.gan.networks import build as build_gan
from dlcv.gan.step import GAN
from dlcv.runtime.config import Params
from dlcv.vae.config import Vae
from dlcv.vae.networks import Autoencoder
from dlcv.vae.step import VAE

CLASSES = 10


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes:
        name: "gan/sngan".
        stages: the addresses of the DVC stages that are this training, one for each seed and perhaps scenario.
        steps: of one training.
        batch_size: images of a step, or of each domain.
        precision: fp32, tf32, bf16 or fp16.
        make: the method with new weights.
        batch: the batch of a step with a number of images.
        multiple: what the number of images in a batch has to be a multiple of.
        averages: whether the weights are averaged, which is one more copy of them.
    """

    name: str
    stages: list[str]
    steps: int
    batch_size: int
    precision: str
    make: Callable[[], Method]
    batch: Callable[[int], Any]
    multiple: int = 1
    averages: bool = False


def jobs(params: Params) -> Iterator[Job]:
    """Every training of the study; those that differ only in seed or domain are one."""
    yield from _gans(params)
    yield _vae(params)
    yield _ddim(params)
    yield from _digits(params)
    yield _judge(params)
    yield from _adaptation(params)


def _gans(params: Params) -> Iterator[Job]:
    for model in params[Gan].models:
        settings = settings_of(model, params)
        networks = (settings.architecture, settings.generator_width, settings.discriminator_width, settings.init_std)
        yield Job(
            f"gan/{model}",
            [f"stages/gan/dvc.yaml:train@{model}-{seed}" for seed in params[Gan].seeds],
            settings.steps,
            settings.batch_size * settings.discriminator_steps,
            settings.precision,
            lambda networks=networks, settings=settings: GAN(*build_gan(*networks), settings),  # type: ignore[misc]
            _images(FACE_SIZE),
            settings.discriminator_steps,
            averages=settings.ema_decay > 0,
        )


def _vae(params: Params) -> Job:
    section, settings = params[Vae], params[Vae].training
    return Job(
        "vae/vae",
        [f"stages/vae/dvc.yaml:train@{seed}" for seed in section.seeds],
        settings.steps,
        settings.batch_size,
        settings.precision,
        lambda: VAE(Autoencoder(section.width, section.latent), settings),
        _images(FACE_SIZE),
        averages=settings.ema_decay > 0,
    )


def _ddim(params: Params) -> Job:
    section = params[Ddim]
    schedule = linear(**section.schedule.model_dump())
    return Job(
        "ddim/unet",
        [f"stages/ddim/dvc.yaml:train@{seed}" for seed in section.seeds],
        section.training.steps,
        section.training.batch_size,
        section.training.precision,
        lambda: train_faces.method_of(UNet(**section.network.model_dump(), size=FACE_SIZE), schedule, section.training),
        _images(FACE_SIZE),
        averages=section.training.ema_decay > 0,
    )


def _digits(params: Params) -> Iterator[Job]:
    for model in params[Diffusion].models:
        settings = params[Diffusion].settings[model]
        yield Job(
            f"diffusion/{model}",
            [f"stages/diffusion/dvc.yaml:train@{model}-{seed}" for seed in params[Diffusion].seeds],
            settings.training.steps,
            settings.training.batch_size,
            settings.training.precision,
            lambda settings=settings: train_digits.method_of(  # type: ignore[misc]
                build_digits(settings.network, settings.schedule.timesteps),
                linear(**settings.schedule.model_dump()),
                settings.training,
            ),
            _images(DIGIT_SIZE),
            averages=settings.training.ema_decay > 0,
        )


def _judge(params: Params) -> Job:
    section, settings = params[Judge], params[Judge].training
    return Job(
        "evaluation/judge",
        [f"stages/evaluation/dvc.yaml:judge@{seed}" for seed in section.seeds],
        settings.steps,
        settings.batch_size,
        settings.precision,
        lambda: Classification(JudgeNetwork(section.channels), settings),
        _images(DIGIT_SIZE),
    )


def _adaptation(params: Params) -> Iterator[Job]:
    groups: dict[str, list[Task]] = {method: list(tasks) for method, tasks in trainings(params).items()}
    compared = [variants_of(scenario, params).values() for scenario in params[Adaptation].comparison.scenarios]
    # Several variants have the same source-only baseline.
    for task in dict.fromkeys(task for each in compared for pairs in each for pair in pairs for task in pair):
        if task.variant is not None:
            own = "" if METHODS[task.method].adapts else f"/{task.method}"
            groups.setdefault(f"variants/{task.variant}{own}", []).append(task)
    for name, tasks in groups.items():
        if not tasks:
            continue
        first, stages = tasks[0], list(dict.fromkeys(task.stage(params) for task in tasks))
        training = first.params(params)[Adaptation].training
        plan = plan_of(first, params)
        yield Job(
            f"adaptation/{name}",
            stages,
            plan.steps,
            training.batch_size,
            training.precision,
            lambda first=first: plan_of(first, params).method,  # type: ignore[misc]
            _domains(list(first.domains(params))),
            averages=plan.ema_decay > 0,
        )


def _images(size: int) -> Callable[[int], tuple[Tensor, Tensor]]:
    def batch(count: int) -> tuple[Tensor, Tensor]:
        images = 2 * torch.rand(count, 3, size, size).to(memory_format=torch.channels_last) - 1
        return images, torch.arange(count) % CLASSES

    return batch


def _domains(roles: list[str]) -> Callable[[int], dict[str, tuple[Tensor, Tensor]]]:
    one = _images(DIGIT_SIZE)
    return lambda count: {role: one(count) for role in roles}
