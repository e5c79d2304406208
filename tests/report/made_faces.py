"""Made files of the areas of faces."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from dlcv.runtime.files import write_json
from dlcv.runtime.nested import merged
from tests.report.made import (
    DDIM_EVALUATION,
    DDIM_SAMPLES,
    EXTRACTOR,
    GAN_EVALUATION,
    GAN_SAMPLES,
    PAIR,
    VAE_EVALUATION,
    make_figures,
    params,
    scores,
)


def make_gan(study: Path) -> None:
    """What the section on GANs reads: of three pairs of trainings sngan is ahead of dcgan, wgan-gp behind dcgan-k5."""
    section = params(study)["gan"]
    protocol = {
        "images": 80,
        "reference": {"training": {"count": 1320}},
        "extractor": EXTRACTOR,
        "versions": {"dlib": "0"},
        "pca": {"components": 319},
        "dlib_face": {"training": {"count": 300}},
    }
    rows = {"real": scores(10.0, generated=False), "pca": scores(200.0), "noise": scores(400.0)}
    write_json(study / "out/evaluation/faces/summary.json", {"rows": rows, "protocol": protocol})
    layers = [{"layer": "Conv2d 4x4", "output": "3 x 64 x 64", "parameters": 99}]
    at_width_1 = {"generator": 18855040, "discriminator": 2878464}
    networks = {
        name: {"parameters": 4321, "parameters_at_width_1": full, "layers": layers} for name, full in at_width_1.items()
    }
    for model, seed in product(section["models"], section["seeds"]):
        name = f"{model}-{seed}"
        training = {"name": name, "fingerprint": "e" * 64, "sha256": "b" * 64}
        write_json(study / f"out/gan/{name}-evaluation/scores.json", {"training": training})
        about = {
            **training,
            "area": "gan",
            "stage": f"stages/gan/dvc.yaml:train@{name}",
            "parameters": 4321,
            "params": {"training": merged(section["base"], section[model])},
            "networks": networks,
        }
        write_json(study / f"out/gan/{name}/weights.json", about)
        of = f"Stage `evaluate@{name}`, training `{name}` `eeeeeeeeeeee`"
        make_figures(study / f"out/gan/{name}-samples", GAN_SAMPLES, of)
        make_figures(study / f"out/gan/{name}-evaluation", GAN_EVALUATION, of)
    pairs = {}
    for (name, pair), difference in zip(section["pairs"].items(), (0.5, 9.0, -9.0), strict=True):
        interval = {"low": difference - 1, "high": difference + 1}
        own = {"value": difference, "interval": interval, "trainings": len(section["seeds"])}
        pairs[name] = {**pair, "frechet_efficientnet_lite0": own}
        make_figures(study / "out/gan-summary" / name, PAIR, "Stage `summary`")
    models = {model: scores(50.0 + index) for index, model in enumerate(section["models"])}
    write_json(study / "out/gan-summary/summary.json", {"seeds": section["seeds"], "models": models, "pairs": pairs})


def make_vae(study: Path, probe: bool = True, on_validation: bool = False) -> None:
    """What the section on the VAE reads."""
    section = params(study)["vae"]
    errors = {"mse": 0.0212345, "mse_0_1": 0.0053086, "mse_sampled": 0.0223, "standard_error": 0.0004, "kl": 321.04}
    share = {"accuracy": 0.95, "interval": {"low": 0.92, "high": 0.97}, "chance": 0.03125}
    read: dict[str, Any] = {"cross_validated": share | {"classes": 32, "images": 320, "folds": 5}}
    if on_validation:
        read["validation"] = share | {"accuracy": 0.81, "chance": 0.77, "classes": 2, "images": 1500}
    values = {
        "samples": scores(333.0) | {"recall": {"value": 0.125}},
        "validation": errors,
        "training": errors | {"mse": 0.0101},
        "pca": {"components": 319, "validation": errors | {"mse": 0.0345}, "training": errors | {"mse": 0.0}},
        "active_units": 345,
        "probe": {"attribute": "person", **read} if probe else None,
    }
    protocol = {"images": 80, "reconstruction": {"images": {"validation": 80, "training": 320}}}
    training = {"name": "vae-0", "fingerprint": "9" * 64, "sha256": "8" * 64}
    write_json(
        study / "out/vae/vae-0-evaluation/scores.json",
        {"scores": values, "training": training, "protocol": protocol | {"versions": {"openTSNE": "7"}}},
    )
    summary = {
        split: {key: {"value": one} for key, one in values[split].items()} for split in ("validation", "training")
    }
    write_json(
        study / "out/vae-summary/summary.json",
        {"samples": values["samples"], "samples_fitted": scores(150.0), **summary},
    )
    networks = {
        name: {"parameters": 77, "layers": [{"layer": "Linear", "output": "512", "parameters": 77}]}
        for name in ("encoder", "decoder")
    }
    about = {
        **training,
        "area": "vae",
        "stage": "stages/vae/dvc.yaml:train@0",
        "parameters": 5555,
        "beta": 0.12288,
        "params": {"width": 0.25, "latent": 512, "training": section["training"]},
        "networks": networks,
    }
    write_json(study / "out/vae/vae-0/weights.json", about)
    make_figures(study / "out/vae/vae-0-evaluation", VAE_EVALUATION, "Stage `evaluate`")


def make_ddim(study: Path) -> None:
    """What the section on DDIM reads, with a table that is not ordered as the paper's is in one place."""
    section = params(study)["ddim"]
    cell = {"face_score": {"value": 0.5, "interval": {"low": 0.4, "high": 0.6}}, "evaluations": 10}
    rows = [f"eta {eta:g}" for eta in section["table"]["etas"]]
    table: dict[str, Any] = {
        row: {str(steps): {**cell, "distance": 100.0 + 10 * index - steps} for steps in section["table"]["steps"]}
        for index, row in enumerate([*rows, "sigma-hat"])
    }
    table["eta 1"]["20"]["distance"] = 70.0
    table["real"] = {**cell, "distance": 12.5}
    values: dict[str, Any] = {
        "scores": scores(60.0),
        "table": table,
        "rows": rows,
        "order": ["at 20 steps eta 1 is below eta 0"],
        "training": {"name": "unet-0", "fingerprint": "d" * 64, "sha256": "9" * 64},
        "interpolation": {
            path: {"mean_change": 100.0, "largest_change": 200.0, "smallest_norm": norm}
            for path, norm in (("spherical", 110.0), ("linear", 78.0))
        },
        "protocol": {
            "images": 80,
            "extractor": EXTRACTOR,
            "reference": {"training": {"count": 1320}},
            "table_images": 40,
            "network_evaluations_per_image": 25,
            "sampler": {"name": "DDIM", **section["sampling"]},
        },
    }
    write_json(study / "out/ddim/unet-0-evaluation/scores.json", values)
    write_json(study / "out/ddim-summary/summary.json", values["scores"])
    about = {
        **values["training"],
        "area": "ddim",
        "stage": "stages/ddim/dvc.yaml:train@0",
        "parameters": 1234567,
        "params": {key: section[key] for key in ("schedule", "network", "training")},
        "layers": [{"layer": "ResidualBlock", "output": "24 x 32 x 32", "parameters": 77}],
    }
    write_json(study / "out/ddim/unet-0/weights.json", about)
    make_figures(study / "out/ddim/unet-0-samples", DDIM_SAMPLES, "Stage `sample`")
    make_figures(study / "out/ddim/unet-0-evaluation", DDIM_EVALUATION, "Stage `evaluate`")
