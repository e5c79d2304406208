"""Small prepared faces, and a network that is trained in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlcv.diffusion.networks.unet import UNet
from dlcv.engine.weights import save_state, save_weights
from dlcv.runtime.config import load
from tests.diffusion.test_samplers import awake
from tests.gan.conftest import faces

__all__ = ["faces"]

REPOSITORY = Path(__file__).parent.parent.parent
NETWORK: dict[str, Any] = {
    "width": 1 / 32,
    "multipliers": [1, 2],
    "blocks": 1,
    "attention": [8],
    "dropout": 0.1,
    "patch": 4,
}
SMALL: dict[str, Any] = {
    "ddim.samples": 10,
    **{f"ddim.network.{key}": value for key, value in NETWORK.items()},
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


@pytest.fixture
def trained(study: Path, set_params: Any) -> Path:
    """A study with nothing in it but params.yaml and a network's weights and snapshots."""
    set_params(SMALL)
    params = load()
    folder = study / "out/ddim/unet"
    about = {
        "area": "ddim",
        "name": "unet",
        "network": NETWORK,
        "schedule": params.raw["ddim"]["schedule"],
        "target": "velocity",
        "min_snr": 0.0,
        "fingerprint": "f" * 64,
        "params": {"training": params.raw["ddim"]["training"]},
    }
    folder.mkdir(parents=True)
    (folder / "curve.csv").write_text("step,loss,gradient_norm\n4,1.0,2.0\n12,0.5,1.0\n")
    network = unet(seed=0)
    save_weights(folder, network.state_dict(), about)
    for step in (4, 12):
        save_state(folder / f"snapshots/step-{step:06d}.safetensors", unet(seed=step).state_dict())
    return study


def unet(seed: int) -> UNet:
    """A network of `NETWORK`'s settings, none of whose layers gives zeros."""
    return awake(seed, std=0.5, **NETWORK)
