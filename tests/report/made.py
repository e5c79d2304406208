"""What all made files of the report's tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image
from ruamel.yaml import YAML

from dlcv.figures.listing import write_listing

# The files of each folder of figures; the report takes captions and order from its figures.json.
GAN_SAMPLES = ["grid.png", "strip.png"]
GAN_EVALUATION = ["curve.png", "neighbours.png"]
PAIR = ["images.png", "frechet.png"]
VAE_EVALUATION = ["curve.png", "samples.png", "tsne.png"]
DDIM_SAMPLES = ["grid.png", "eta.png"]
DDIM_EVALUATION = ["table.png", "curve.png"]
ADAPTATION = ["tsne-class.png", "confusion.png", "curve-dann.png"]
JUDGE = ["confusion.png", "curve.png"]
DIFFUSION_SAMPLES = ["grid.png"]
DIFFUSION_EVALUATION = ["guidance.png", "diagram.png"]

SHARES = ("precision", "recall", "density", "coverage", "memorised")
EXTRACTOR = {"name": "efficientnet_lite0", "score": "frechet_efficientnet_lite0"}


def params(study: Path) -> dict[str, Any]:
    """The values of the study's params.yaml."""
    values: dict[str, Any] = YAML(typ="safe").load((study / "params.yaml").read_text())
    return values


def make_figures(folder: Path, files: list[str], of: str) -> None:
    """Figures with the caption "NAME shows this.", and their list."""
    for file in files:
        image(folder / file)
    write_listing(folder, {file: f"{Path(file).stem} shows this." for file in files}, of)


def scores(distance: float, generated: bool = True) -> dict[str, Any]:
    """The summary of the scores of images."""
    values: dict[str, Any] = {
        "frechet_efficientnet_lite0": {"value": distance, "interval": {"low": distance - 2, "high": distance + 2}},
        "kid": {"value": 0.0123},
        "face_score": {"value": 0.9, "interval": {"low": 0.85, "high": 0.94}},
        **{name: {"value": 0.5} for name in SHARES},
        "dlib_face": {
            "frechet_dlib_face": {
                "value": distance / 100,
                "interval": {"low": distance / 100 - 0.02, "high": distance / 100 + 0.02},
            },
            **{name: {"value": 0.75} for name in SHARES},
        },
    }
    return values | ({"frechet_efficientnet_lite0_to_validation": {"value": distance + 1}} if generated else {})


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)
