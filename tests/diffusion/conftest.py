"""Small prepared faces and digits, and networks that are made or trained in a second."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcv.diffusion.config import DigitNetwork, settings_of
from dlcv.diffusion.networks.build import build
from dlcv.diffusion.networks.interface import Fitted
from dlcv.diffusion.unet import UNet
from dlcv.engine.weights import save_state, save_weights
from dlcv.evaluation.judge.network import JudgeNetwork
from dlcv.runtime.config import Params, load
from tests.adaptation.conftest import write_domain
from tests.gan.conftest import faces

__all__ = ["faces"]

REPOSITORY = Path(__file__).parent.parent.parent

FACE_NETWORK: dict[str, Any] = {
    "width": 1 / 32,
    "multipliers": [1, 2],
    "blocks": 1,
    "attention": [8],
    "dropout": 0.1,
    "patch": 4,
}
SMALL_FACES: dict[str, Any] = {
    "ddim.samples": 10,
    **{f"ddim.network.{key}": value for key, value in FACE_NETWORK.items()},
    "ddim.training.steps": 12,
    "ddim.training.batch_size": 4,
    "ddim.training.snapshots": 3,
    "ddim.training.precision": "fp32",
    "ddim.sampling.steps": 3,
    "ddim.table.steps": [2, 3],
    "ddim.table.sigma_hat": True,
    "ddim.table.images": 6,
    "evaluation.neighbours": 3,
}

# The models of digits as params.yaml ships them: architecture, T, and a width at which they are narrow.
MODELS: dict[str, tuple[str, int, float]] = {
    "context-unet": ("context-unet", 400, 1 / 32),
    "context-unet-t1000": ("context-unet", 1000, 1 / 32),
    "attention-unet": ("attention-unet", 1000, 1 / 16),
    "residual-unet": ("residual-unet", 200, 1 / 32),
}
SMALL_DIGITS: dict[str, Any] = {
    "diffusion.samples": 20,
    "diffusion.sampling.steps": 3,
    "diffusion.sampling.eta": 0.0,
    "diffusion.table.w": [0.0, 2.0],
    "diffusion.table.skip_unconditional": [0.5],
    "diffusion.table.images": 20,
    "diffusion.table.snapshot_images": 10,
    "diffusion.guidance.base.w": 2.0,
    "diffusion.base.network.patch": 4,
    "diffusion.base.training.steps": 12,
    "diffusion.base.training.batch_size": 6,
    "diffusion.base.training.snapshots": 3,
    **{
        f"diffusion.{model}": {
            "schedule": {"timesteps": timesteps},
            "network": {"architecture": architecture, "width": width},
        }
        for model, (architecture, timesteps, width) in MODELS.items()
    },
    "evaluation.neighbours": 3,
    "evaluation.kid_subsets": 3,
    "evaluation.kid_subset_size": 10,
}


@cache
def shipped() -> Params:
    """The repository's own params.yaml, read once."""
    return load(REPOSITORY / "params.yaml")


def nonzero_unet(seed: int, std: float = 0.05, **settings: Any) -> UNet:
    """A new U-Net in eval mode with random weights also where it starts with zeros."""
    torch.manual_seed(seed)
    network = UNet(**settings)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, 0, std)
    return network.eval()


def face_network(seed: int) -> UNet:
    """A network with the settings `FACE_NETWORK`, none of whose layers outputs zeros."""
    return nonzero_unet(seed, std=0.5, **FACE_NETWORK)


def digit_settings(model: str, **changes: Any) -> DigitNetwork:
    """The settings of a narrow network, as printed except for `changes`."""
    architecture, _, width = MODELS[model]
    printed = {"architecture": architecture, "width": width, "conditioning": "printed", "patch": 1, "dropout": 0.0}
    return DigitNetwork(**{**printed, **changes})


def digit_network(model: str, seed: int = 0, **changes: Any) -> Fitted:
    """A random narrow network in eval mode, as printed except for `changes`."""
    torch.manual_seed(seed)
    made = build(digit_settings(model, **changes), MODELS[model][1]).train()
    with torch.no_grad():
        for _ in range(20):
            # With BatchNorm's initial statistics a random network's output would hardly depend on the class.
            made(torch.randn(8, 3, 28, 28), torch.arange(8), torch.arange(8))
    return made.eval()


class Recorder(nn.Module):
    """Keeps its inputs and returns its weight times the images."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.seen: list[tuple[Tensor, ...]] = []

    def forward(self, x: Tensor, t: Tensor, *labels: Tensor) -> Tensor:
        self.seen.append((x.detach(), t, *labels))
        return self.weight * x


class Means:
    """An extractor whose features are the mean colours of the four quarters."""

    name, score = "means", "frechet_means"

    def protocol(self) -> dict[str, Any]:
        return {"name": self.name, "score": self.score}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        half = images.shape[1] // 2
        quarters = np.asarray(images, dtype=np.float32).reshape(len(images), 2, half, 2, half, 3)
        means: np.ndarray = quarters.mean(axis=(2, 4)).reshape(len(images), 12) / 50
        return means


@pytest.fixture
def digits(study: Path) -> Path:
    """The study with prepared digits: bars at the height of their label."""
    write_domain("mnistm", 0)
    return study


@pytest.fixture
def trained_faces(study: Path, set_params: Callable[[dict[str, Any]], None]) -> Path:
    """A study with only params.yaml and the weights and snapshots of the model of faces."""
    set_params(SMALL_FACES)
    params = load()
    folder = study / "out/ddim/unet-0"
    about = {
        "area": "ddim",
        "name": "unet-0",
        "network": FACE_NETWORK,
        "schedule": params.raw["ddim"]["schedule"],
        "prediction": "velocity",
        "fingerprint": "f" * 64,
        "params": {"training": params.raw["ddim"]["training"]},
    }
    folder.mkdir(parents=True)
    (folder / "curve.csv").write_text("step,loss,error,gradient_norm\n4,1.0,1.0,2.0\n12,0.5,0.6,1.0\n")
    save_weights(folder, face_network(seed=0).state_dict(), about)
    for step in (4, 12):
        save_state(folder / f"snapshots/step-{step:06d}.safetensors", face_network(seed=step).state_dict())
    return study


@pytest.fixture
def trained_digits(study: Path, set_params: Callable[[dict[str, Any]], None]) -> Path:
    """A study with only params.yaml and the weights and snapshots of attention-unet."""
    set_params(SMALL_DIGITS)
    settings = settings_of("attention-unet", load()).model_dump()
    folder = study / "out/diffusion/attention-unet-0"
    about = {
        "area": "diffusion",
        "name": "attention-unet-0",
        "model": "attention-unet",
        "network": settings["network"],
        "schedule": settings["schedule"],
        "prediction": "velocity",
        "layers": [
            {"layer": "label_emb", "output": "16", "parameters": 160, "skip": None, "condition": "class"},
            {"layer": "inc", "output": "4 x 8 x 8", "parameters": 99, "skip": None, "condition": ""},
            {"layer": "down1", "output": "8 x 4 x 4", "parameters": 99, "skip": None, "condition": "time, class"},
            {"layer": "up3", "output": "4 x 8 x 8", "parameters": 99, "skip": 1, "condition": "time, class"},
        ],
        "fingerprint": "f" * 64,
        "params": settings,
    }
    folder.mkdir(parents=True)
    (folder / "curve.csv").write_text("step,loss,error,gradient_norm\n4,1.0,1.0,2.0\n12,0.5,0.6,1.0\n")
    made = build(DigitNetwork(**settings["network"]), 1000)
    for step in (4, 12):
        made.load_state_dict(digit_network("attention-unet", step, patch=4, conditioning="adaptive").state_dict())
        save_state(folder / f"snapshots/step-{step:06d}.safetensors", made.state_dict())
    save_weights(folder, made.state_dict(), about)
    return study


@pytest.fixture
def judge(study: Path) -> JudgeNetwork:
    """The weights of a judge that was never trained, in their folder."""
    torch.manual_seed(0)
    made = JudgeNetwork(4).eval()
    about = {"area": "evaluation", "name": "judge/0", "channels": 4, "fingerprint": "e" * 64}
    save_weights(study / "out/evaluation/judge/0", made.state_dict(), about)
    return made
