"""What each section of the report prints.

params.yaml names the models, pairs and scenarios; their scores, settings and figures are read from `metrics/` and
`out/`. Each function takes the values of params.yaml and returns what its template needs, with `trainings`, the JSON
beside the weights by the training's name, and `protocol`, which has the versions of the packages.

Raises:
    UserError: a file that params.yaml implies is missing, or `metrics/` has one that it does not imply.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.report.files import METRICS, figures, link, read, scores, trainings

DATA = Path("data")


def data(params: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The card of each prepared data set, its stage, and a link to its contact sheet."""
    digits = {domain: f"digits/{domain}" for domain in params["data"]["domains"]}
    return {
        name: {
            **read(DATA / folder / "card.json"),
            "stage": folder.replace("/", "@"),
            "sheet": link(DATA / folder / "contact.png"),
        }
        for name, folder in {**digits, "faces": "faces"}.items()
    }


def gan(params: dict[str, Any]) -> dict[str, Any]:
    """GANs, and the pairs of them that reports compare."""
    models, pairs = params["gan"]["models"], list(params["gan"]["pairs"])
    scored, real = scores("gan", [*models, *pairs]), read(METRICS / "evaluation" / "faces.json")
    return {
        "rows": {**{model: scored[model]["scores"] for model in models}, **real["rows"]},
        "protocol": real["protocol"],
        "pairs": {pair: scored[pair] for pair in pairs},
        "trainings": trainings("gan", scored),
        "figures": {model: figures("gan", f"{model}-samples", f"{model}-evaluation") for model in models},
        "pair_figures": {pair: figures("gan", pair) for pair in pairs},
    }


def vae(params: dict[str, Any]) -> dict[str, Any]:
    """The VAE, compared with the first of the GANs, the rival."""
    scored = scores("vae", ["vae"])
    found, rival = trainings("vae", scored), params["gan"]["models"][0]
    compared = figures("gan", f"{rival}-samples")[:1]  # the grid of its samples
    return {
        **scored["vae"],
        "rival": rival,
        "training": found["vae"],
        "trainings": found,
        "figures": [
            *figures("vae", "vae-evaluation"),
            *({**figure, "caption": f"For comparison, {rival}: {figure['caption']}"} for figure in compared),
        ],
    }


def ddim(params: dict[str, Any]) -> dict[str, Any]:
    """DDIM on faces."""
    scored = scores("ddim", ["unet"])
    found = trainings("ddim", scored)
    return {
        **scored["unet"],
        "training": found["unet"],
        "trainings": found,
        "figures": figures("ddim", "unet-samples", "unet-evaluation"),
    }


def adaptation(params: dict[str, Any]) -> dict[str, Any]:
    """Domain adaptation on digits."""
    scored = scores("adaptation", params["adaptation"]["scenarios"])
    found = trainings("adaptation", scored)
    labels = {row: values["label"] for one in scored.values() for row, values in one["rows"].items()}
    comparisons = {name: one["variants"] for name, one in scored.items() if "variants" in one}
    return {
        "scenarios": scored,
        "protocol": next(iter(scored.values()))["protocol"],
        "validators": [f"`{name}`" for name in next(iter(scored.values()))["validators"]["scores"]],
        "labels": labels,
        # Their loss has the term that the validator `information` measures.
        "informed": [label for row, label in labels.items() if params.get(row, {}).get("information")],
        "comparisons": comparisons,
        "variants": list(dict.fromkeys(variant for one in comparisons.values() for variant in one["variants"])),
        "networks": networks(found),
        "trainings": found,
        "figures": {name: figures("adaptation", f"{name}-evaluation") for name in scored},
    }


def networks(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The layers of each architecture that was trained, once, under its name and settings."""
    printed: dict[str, dict[str, Any]] = {}
    for about in found.values():
        architecture = about["architecture"]
        own = dict(architecture.get("settings", {}).get(architecture["network"], {}))
        if "width" in architecture:
            own["width"] = architecture["width"]
        title = ", ".join([architecture["network"], *(f"{key} {value}" for key, value in own.items())])
        printed.setdefault(title, {"parameters": about["parameters"], "parts": about["networks"]})
    return dict(sorted(printed.items()))


def judge(params: dict[str, Any]) -> dict[str, Any]:
    """The judge, which the section on conditional diffusion needs."""
    scored = read(METRICS / "evaluation" / "judge.json")
    found = trainings("evaluation", scored)
    return {
        **scored,
        "parameters": found["judge"]["parameters"],
        "trainings": found,
        "figures": figures("evaluation", "judge-evaluation"),
    }


def diffusion(params: dict[str, Any]) -> dict[str, Any]:
    """Conditional diffusion on digits."""
    models = params["diffusion"]["models"]
    scored = scores("diffusion", models)
    first = scored[models[0]]
    return {
        "scored": scored,
        # Real images, protocol and columns of the table are the same for every model.
        "real": first["real"],
        "protocol": first["protocol"],
        "columns": list(first["guidance"]),
        "trainings": trainings("diffusion", scored),
        "figures": {model: figures("diffusion", f"{model}-samples", f"{model}-evaluation") for model in models},
    }


SECTIONS = {"gan": gan, "vae": vae, "ddim": ddim, "adaptation": adaptation, "judge": judge, "diffusion": diffusion}
