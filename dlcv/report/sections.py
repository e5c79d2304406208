"""What each section of the report prints.

params.yaml names the models, pairs and scenarios; their scores, settings and figures are read from `out/`. Scores are
of all trainings; settings, tables and figures are of the first seed. Each function takes the values of params.yaml and
returns what its template needs, with `trainings`, the JSON beside the weights by the training's name, and `protocol`,
which has the versions of the packages.

Raises:
    UserError: a file that params.yaml implies is missing, or `metrics/` has one that it does not imply.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.report.files import details, evaluations, figures, link, prints, read, summary, trainings
from dlcv.runtime.summaries import OUT

DATA = Path("data")


def data(params: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The card of each prepared data set, its stage, and a link to its contact sheet."""
    digits = {domain: f"digits/{domain}" for domain in params["data"]["domains"]}
    return {
        name: {
            **read(DATA / folder / "card.json"),
            "stage": folder.replace("/", "@"),
            "sheet": link(DATA / folder / "contact.png"),
            "sheet_path": DATA / folder / "contact.png",
        }
        for name, folder in {**digits, "faces": "faces"}.items()
    }


def gan(params: dict[str, Any]) -> dict[str, Any]:
    """GANs, and the pairs of them that reports compare."""
    models, seeds, pairs = params["gan"]["models"], params["gan"]["seeds"], list(params["gan"]["pairs"])
    names = {model: [f"{model}-{seed}" for seed in seeds] for model in models}
    scored, real = summary("gan-summary"), summary("evaluation/faces")
    found = trainings("gan", details("gan", names))
    return {
        "seeds": scored["seeds"],
        "rows": {**scored["models"], **real["rows"]},
        "protocol": real["protocol"],
        "pairs": scored["pairs"],
        "models": {model: found[first] for model, (first, *_) in names.items()},
        "trainings": found,
        "figures": {
            model: figures("gan", f"{first}-samples", f"{first}-evaluation") for model, (first, *_) in names.items()
        },
        "prints": {model: prints("gan", f"{first}-evaluation") for model, (first, *_) in names.items()},
        "pair_figures": {pair: figures("gan-summary", pair) for pair in pairs},
    }


def vae(params: dict[str, Any]) -> dict[str, Any]:
    """The VAE, compared with the first of the GANs, the rival."""
    names = [f"vae-{seed}" for seed in params["vae"]["seeds"]]
    scored = details("vae", {"vae": names})
    found, rival = trainings("vae", scored), params["gan"]["models"][0]
    compared = figures("gan", f"{rival}-{params['gan']['seeds'][0]}-samples")[:1]  # the grid of its samples
    scores = summary("vae-summary")
    return {
        "scores": scores,
        "rows": {"vae": scores["samples"], "vae-fitted-prior": scores["samples_fitted"]},
        "first": scored[names[0]],
        "protocol": scored[names[0]]["protocol"],
        "rival": rival,
        "training": found[names[0]],
        "trainings": found,
        "prints": prints("vae", f"{names[0]}-evaluation"),
        "figures": [
            *figures("vae", f"{names[0]}-evaluation"),
            *({**figure, "caption": f"For comparison, {rival}: {figure['caption']}"} for figure in compared),
        ],
    }


def ddim(params: dict[str, Any]) -> dict[str, Any]:
    """DDIM on faces."""
    names = [f"unet-{seed}" for seed in params["ddim"]["seeds"]]
    scored = details("ddim", {"unet": names})
    found = trainings("ddim", scored)
    return {
        **scored[names[0]],
        "scores": summary("ddim-summary"),
        "training": found[names[0]],
        "trainings": found,
        "prints": prints("ddim", f"{names[0]}-evaluation"),
        "tasks": {source: read(OUT / f"ddim/task-{source}/scores.json")["scores"] for source in params["data"]["ddim"]},
        "figures": figures(
            "ddim",
            f"{names[0]}-samples",
            f"{names[0]}-evaluation",
            *(f"task-{source}" for source in params["data"]["ddim"]),
        ),
    }


def adaptation(params: dict[str, Any]) -> dict[str, Any]:
    """Domain adaptation on digits."""
    scored = evaluations("adaptation", params["adaptation"]["scenarios"])
    found = trainings("adaptation", scored)
    labels = {row: values["label"] for one in scored.values() for row, values in one["rows"].items()}
    comparisons = {name: one["variants"] for name, one in scored.items() if "variants" in one}
    return {
        "scenarios": scored,
        "protocol": next(iter(scored.values()))["protocol"],
        "validators": [f"`{name}`" for name in next(iter(scored.values()))["validators"]["scores"]],
        "labels": labels,
        "tables": tables(scored),
        # Their loss has the term that the validator `information` measures.
        "informed": [label for row, label in labels.items() if params.get(row, {}).get("information")],
        "comparisons": comparisons,
        "variants": list(dict.fromkeys(variant for one in comparisons.values() for variant in one["variants"])),
        "networks": networks(found),
        "trainings": found,
        "prints": prints("adaptation", *(f"{name}-evaluation" for name in scored)),
        "figures": {name: figures("adaptation", f"{name}-evaluation") for name in scored},
    }


def tables(scored: dict[str, dict[str, Any]]) -> list[list[str]]:
    """The rows of each table: a source-only baseline and the methods that are compared with it; other rows alone."""
    groups: dict[str, list[str]] = {}
    for one in scored.values():
        for name, values in one["rows"].items():
            group = groups.setdefault(values["gain"]["over"] if "gain" in values else name, [])
            if name not in group:
                group.append(name)
    return list(groups.values())


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
    first = read(OUT / "evaluation" / "judge-evaluation" / "scores.json")
    names = [f"judge/{seed}" for seed in params["judge"]["seeds"]]
    found = {name: read(OUT / "evaluation" / name / "weights.json") for name in names}
    return {
        **summary("evaluation/judge-evaluation"),
        "images": first["images"],
        "parameters": found[names[0]]["parameters"],
        "trainings": found,
        "figures": figures("evaluation", "judge-evaluation"),
    }


def diffusion(params: dict[str, Any]) -> dict[str, Any]:
    """Conditional diffusion on digits."""
    seeds = params["diffusion"]["seeds"]
    names = {model: [f"{model}-{seed}" for seed in seeds] for model in params["diffusion"]["models"]}
    scored = details("diffusion", names)
    found = trainings("diffusion", scored)
    firsts = {model: scored[first] for model, (first, *_) in names.items()}
    first = next(iter(firsts.values()))
    return {
        "seeds": seeds,
        "scores": summary("diffusion-summary")["models"],
        "scored": firsts,
        # Real images, protocol and columns of the table are the same for every training.
        "real": first["real"],
        "protocol": first["protocol"],
        "columns": list(first["guidance"]),
        "models": {model: found[name] for model, (name, *_) in names.items()},
        "trainings": found,
        "prints": {model: prints("diffusion", f"{name}-evaluation") for model, (name, *_) in names.items()},
        "figures": {
            model: figures("diffusion", f"{name}-samples", f"{name}-evaluation") for model, (name, *_) in names.items()
        },
    }


SECTIONS = {"gan": gan, "vae": vae, "ddim": ddim, "adaptation": adaptation, "judge": judge, "diffusion": diffusion}
