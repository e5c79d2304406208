"""A study with narrow networks that were not trained, one of each kind, and the files of their evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dlcv.adaptation.networks import digits
from dlcv.diffusion.config import Ddim, Diffusion
from dlcv.diffusion.networks.build import build
from dlcv.diffusion.unet import UNet
from dlcv.engine.weights import count_parameters, save_weights
from dlcv.evaluation.judge.network import JudgeNetwork
from dlcv.gan.networks import ARCHITECTURES, Generator
from dlcv.runtime.config import load
from dlcv.vae.networks import Autoencoder
from tests.adaptation.conftest import write_domain

NAMES = (
    "gan/sngan-0",
    "gan/dcgan-0",
    "vae/vae-0",
    "ddim/unet-0",
    "diffusion/context-unet-0",
    "adaptation/usps-mnistm/dann-0",
    "adaptation/usps-mnistm/selftraining-0",
    "evaluation/judge/0",
)
COUNT = 20  # images that an accuracy is of


@pytest.fixture
def trained(study: Path) -> Path:
    """The study; `NAMES` are its trainings."""
    for shift, domain in enumerate(("mnistm", "usps")):
        write_domain(domain, 40 * shift)
    params = load()
    torch.manual_seed(0)
    unet = {**params[Ddim].network.model_dump(), "width": 1 / 32, "multipliers": [1, 2], "attention": []}
    model = params[Diffusion].settings["context-unet"]
    noises = {**model.network.model_dump(), "width": 1 / 32}
    lenet = digits.build("lenet", 0.0, False, {"deep": {"poolings": 2}, "mish": {"hidden": [8]}})
    faces = {"faces": "f" * 64}
    for name in ("sngan", "dcgan"):
        generator = Generator(ARCHITECTURES[name], 1 / 32)
        write(f"gan/{name}-0", generator, faces, model=name, architecture=name, width=1 / 32)
    write("vae/vae-0", Autoencoder(1 / 32, 8), faces, width=1 / 32, latent=8)
    schedule = params[Ddim].schedule.model_dump()
    write("ddim/unet-0", UNet(**unet, size=64), faces, network=unet, schedule=schedule, prediction="noise")
    write(
        "diffusion/context-unet-0",
        build(model.network.model_copy(update={"width": 1 / 32}), model.schedule.timesteps),
        {"mnistm": f"{0:064x}"},
        model="context-unet",
        network=noises,
        schedule=model.schedule.model_dump(),
        prediction="noise",
    )
    for method in ("dann", "selftraining"):
        for parameter in lenet.parameters():
            nn.init.normal_(parameter, std=0.1)
        about = {"method": method, "task": "usps-mnistm", "architecture": lenet.architecture}
        write(f"adaptation/usps-mnistm/{method}-0", lenet, {"mnistm": f"{0:064x}", "usps": f"{40:064x}"}, **about)
    write("evaluation/judge/0", JudgeNetwork(2), {"mnistm": f"{0:064x}"}, channels=2)
    evaluate()
    return study


def write(name: str, network: nn.Module, data: dict[str, str], /, **about: Any) -> None:
    """The files that a training writes."""
    area, rest = name.split("/", 1)
    facts = {"area": area, "name": rest, "parameters": count_parameters(network), "data": data, "fingerprint": name}
    params = {"seed": 0, "training": {"steps": 5, "ema_decay": 0.0}}
    if area == "adaptation":
        params |= {"source": "usps", "target": "mnistm"}
    folder = Path("out") / name
    folder.mkdir(parents=True)
    save_weights(folder, network.state_dict(), {**facts, "params": params, **about})


def training(name: str) -> dict[str, str]:
    """What an evaluation says of the training that it scored."""
    about = json.loads((Path("out") / name / "weights.json").read_text())
    return {key: about[key] for key in ("name", "fingerprint", "sha256")}


def dump(path: str, value: Any) -> None:
    file = Path("out") / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))


def evaluate() -> None:
    """The files of the evaluations. SNGAN is nearer to the validation images, and DCGAN to the training images."""
    protocol = {"images": 40, "reference": {"name": "faces"}, "extractor": {"name": "efficientnet_lite0"}}
    protocol |= {"judged_images": COUNT}
    for name, distance, to_validation in (
        ("gan/sngan-0", 20.0, 30.0),
        ("gan/dcgan-0", 10.0, 40.0),
        ("vae/vae-0", 50.0, 60.0),
        ("ddim/unet-0", 7.0, 8.0),
        ("diffusion/context-unet-0", 3.0, 4.0),
    ):
        key = "frechet_efficientnet_lite0"
        scores: dict[str, Any] = {key: {"value": distance, "interval": {"low": distance - 1, "high": distance + 1}}}
        scores[f"{key}_to_validation"] = to_validation
        if name.startswith("diffusion"):
            scores["digit_accuracy"] = {"accuracy": 0.6, "interval": {"low": 0.5, "high": 0.7}}
        if name.startswith("vae"):
            scores = {"samples": scores, "validation": {"mse": 0.04}}
        dump(f"{name}-evaluation/scores.json", {"scores": scores, "protocol": protocol, "training": training(name)})
    # The method with the higher accuracy on the target has the lower score without labels.
    accuracies, information = {"dann": 0.25, "selftraining": 0.75}, {"dann": 1.9, "selftraining": 0.2}
    images = {"target": {"domain": "mnistm", "count": COUNT}}
    rows = {
        method: {
            "accuracy": value,
            "seeds": {"0": value},
            "trainings": [training(f"adaptation/usps-mnistm/{method}-0")],
        }
        for method, value in accuracies.items()
    }
    candidates = {f"usps-mnistm/{method}-0": {"information": value} for method, value in information.items()}
    choice = {"criterion": "information", "candidates": candidates}
    summary = {"scenario": "usps-mnistm", "protocol": {"images": images}, "rows": rows, "choice": choice}
    dump("adaptation/usps-mnistm-evaluation/summary.json", summary)
    judged = {"images": {"domain": "mnistm", "count": COUNT}, "training": training("evaluation/judge/0")}
    dump("evaluation/judge-evaluation/scores.json", judged)
    of_seed = {"seed": 0, "accuracy": 0.9, "interval": {"low": 0.8, "high": 0.95}}
    dump("evaluation/judge-evaluation/headline.json", {"evaluation/judge": {"accuracy": {"trainings": [of_seed]}}})


@pytest.fixture
def images() -> np.ndarray:
    """Five images of noise, uint8 5 x 28 x 28 x 3."""
    return np.random.default_rng(0).integers(0, 256, size=(5, 28, 28, 3), dtype=np.uint8)
