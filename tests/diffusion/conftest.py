"""Small prepared digits, and networks that are made in no time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcv.diffusion.config import MODELS, Diffusion
from dlcv.diffusion.networks.build import build
from dlcv.diffusion.networks.conditioning import Fitted
from dlcv.engine.weights import save_state, save_weights
from dlcv.evaluation.judge.network import JudgeNetwork
from dlcv.runtime.config import Params, load
from tests.adaptation.conftest import write_domain

REPOSITORY = Path(__file__).parent.parent.parent
TIMESTEPS = {"context-unet": 400, "context-unet-t1000": 1000, "attention-unet": 1000, "residual-unet": 200}
NARROW = {"context-unet": 1 / 32, "context-unet-t1000": 1 / 32, "attention-unet": 1 / 16, "residual-unet": 1 / 32}
SMALL: dict[str, Any] = {
    "diffusion.samples": 20,
    "diffusion.sampling.steps": 3,
    "diffusion.sampling.eta": 0.0,
    "diffusion.table.w": [0.0, 2.0],
    "diffusion.table.skip_unconditional": [0.5],
    "diffusion.table.images": 20,
    "diffusion.table.snapshot_images": 10,
    "evaluation.neighbours": 3,
    "evaluation.kid_subsets": 3,
    "evaluation.kid_subset_size": 10,
    "judge.channels": 4,
    "judge.steps": 8,
    "judge.batch_size": 10,
    **{f"diffusion.{model}.network.width": NARROW[model] for model in MODELS},
    **{f"diffusion.{model}.network.patch": 4 for model in MODELS},
    **{f"diffusion.{model}.guidance.w": 2.0 for model in MODELS},
    **{f"diffusion.{model}.training.steps": 12 for model in MODELS},
    **{f"diffusion.{model}.training.batch_size": 6 for model in MODELS},
    **{f"diffusion.{model}.training.snapshots": 3 for model in MODELS},
}


@cache
def shipped() -> Params:
    """The repository's own params.yaml, read once."""
    return load(REPOSITORY / "params.yaml")


def network(model: str, seed: int = 0, **changes: Any) -> Fitted:
    """A random narrow network in eval mode, as printed but for `changes`."""
    torch.manual_seed(seed)
    settings = {"width": NARROW[model], "conditioning": "printed", "patch": 1, "dropout": 0.0}
    made = build(model, {**settings, **changes}, TIMESTEPS[model]).train()
    with torch.no_grad():
        for _ in range(20):
            # BatchNorm's first statistics would shrink what a random network says of the class to nothing.
            made(torch.randn(8, 3, 28, 28), torch.arange(8), torch.arange(8))
    return made.eval()


@pytest.fixture
def digits(study: Path) -> Path:
    """The study with prepared digits: bars at the height of their label."""
    write_domain("mnistm", 0)
    return study


@pytest.fixture
def trained(study: Path, set_params: Callable[[dict[str, Any]], None]) -> Path:
    """A study with nothing in it but params.yaml and the weights and snapshots of attention-unet."""
    set_params(SMALL)
    params = load()
    settings = params[Diffusion].settings("attention-unet").model_dump()
    folder = study / "out/diffusion/attention-unet"
    about = {
        "area": "diffusion",
        "name": "attention-unet",
        "model": "attention-unet",
        "network": settings["network"],
        "schedule": settings["schedule"],
        "target": "velocity",
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
    made = build("attention-unet", settings["network"], 1000)
    for step in (4, 12):
        made.load_state_dict(network("attention-unet", step, patch=4, conditioning="adaptive").state_dict())
        save_state(folder / f"snapshots/step-{step:06d}.safetensors", made.state_dict())
    save_weights(folder, made.state_dict(), about)
    return study


@pytest.fixture
def judge(study: Path) -> JudgeNetwork:
    """The weights of a judge that was never trained, in its place."""
    torch.manual_seed(0)
    made = JudgeNetwork(4).eval()
    about = {"area": "evaluation", "name": "judge", "channels": 4, "fingerprint": "e" * 64}
    save_weights(study / "out/evaluation/judge", made.state_dict(), about)
    return made


class Means:
    """Mean colours of the four quarters in place of a network's features."""

    name, score = "means", "frechet_means"

    def protocol(self) -> dict[str, Any]:
        return {"name": self.name}

    def __call__(self, images: np.ndarray, progress: bool = False) -> np.ndarray:
        quarters = np.asarray(images, dtype=np.float32).reshape(len(images), 2, 14, 2, 14, 3)
        means: np.ndarray = quarters.mean(axis=(2, 4)).reshape(len(images), 12) / 50
        return means
