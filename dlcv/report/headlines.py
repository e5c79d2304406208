"""The first screen: for each problem one picture, and the figures that sum it up. It ranks nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dlcv.report.words import arrow, distance, fixed

CUT = 264  # pixels of the height that is shown: two rows of faces


def headlines(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each section: `id`, `title`, `picture` (a figure), `cut`, how much of its height is shown,
    what it is `of`, and `figures`, each a value and what it is.

    Args:
        facts: what `dlcv.report.sections` gathers.
    """
    sections = {"gan": gan, "vae": vae, "ddim": ddim, "adaptation": adaptation, "diffusion": diffusion}
    return [{"id": name, "cut": CUT, **make(facts)} for name, make in sections.items()]


def gan(facts: Mapping[str, Any]) -> dict[str, Any]:
    rows, models = facts["gan"]["rows"], list(facts["gan"]["models"])
    score = facts["gan"]["protocol"]["extractor"]["score"]
    shown = models[-1]
    return {
        "title": "GANs on faces",
        "picture": facts["gan"]["figures"][shown][0],
        "of": shown,
        "figures": [
            (
                _range((rows[model][score]["value"] for model in models), 1),
                f"{distance(score)} of {len(models)} models",
            ),
            (fixed(rows["real"][score], 1), "of real images"),
            (fixed(rows["noise"][score], 1), "of noise"),
            (_range((rows[model]["face_score"]["value"] for model in models), 2), "share with a detected face"),
            (fixed(rows["real"]["face_score"], 2), "of real images"),
        ],
    }


def vae(facts: Mapping[str, Any]) -> dict[str, Any]:
    scores, probe = facts["vae"]["scores"], facts["vae"]["first"]["scores"]["probe"]
    figures = [
        (fixed(scores["validation"]["mse"], 4), "squared error on new faces, in [-1, 1]"),
        (fixed(scores["validation"]["kl"], 0), "KL divergence, nats"),
        (fixed(scores["samples_fitted"]["face_score"], 2), "share of samples (fitted prior) with a detected face"),
    ]
    if probe:
        read = probe.get("validation", probe["cross_validated"])
        figures.append((fixed(read["accuracy"], 3), f"accuracy of `{probe['attribute']}` from the latent"))
    return {
        "title": "VAE on faces",
        "picture": _named(facts["vae"]["figures"], "reconstructions.png"),
        "of": "ten new faces over their reconstructions",
        "figures": figures,
    }


def ddim(facts: Mapping[str, Any]) -> dict[str, Any]:
    scores, protocol = facts["ddim"]["scores"], facts["ddim"]["protocol"]
    score, real = protocol["extractor"]["score"], facts["gan"]["rows"]["real"]
    return {
        "title": "DDIM on faces",
        "picture": facts["ddim"]["figures"][0],
        "of": "ddim",
        "figures": [
            (fixed(scores[score], 1), distance(score)),
            (fixed(real[score], 1), "of real images"),
            (fixed(scores["face_score"], 2), "share with a detected face"),
            (str(protocol["network_evaluations_per_image"]), "network evaluations for an image"),
        ],
    }


def adaptation(facts: Mapping[str, Any]) -> dict[str, Any]:
    scenarios = facts["adaptation"]["scenarios"]
    figures = []
    for name, scores in list(scenarios.items())[:4]:
        rows = scores["rows"]
        method = next(row for row, values in rows.items() if values["adapts"])
        base = rows[rows[method]["gain"]["over"]]
        value = f"{fixed(base['accuracy'], 3)} → {fixed(rows[method]['accuracy'], 3)}"
        figures.append((value, f"{arrow(name)}, with {rows[method]['label'].split(' + ')[0]}"))
    last = list(scenarios)[-1]
    return {
        "title": "Domain adaptation on digits",
        "picture": _named(facts["adaptation"]["figures"][last], "tsne-class.png"),
        "cut": None,
        "of": f"{arrow(last)}: features by digit; below: accuracy from source-only to adapted",
        "figures": figures,
    }


def diffusion(facts: Mapping[str, Any]) -> dict[str, Any]:
    scores, judge = facts["diffusion"]["scores"], facts["judge"]
    score = facts["diffusion"]["protocol"]["extractor"]["score"]
    model = next(iter(facts["diffusion"]["figures"]))
    evaluations = [
        scored["protocol"]["network_evaluations_per_image"] for scored in facts["diffusion"]["scored"].values()
    ]
    accuracies = (one["digit_accuracy"].get("value", one["digit_accuracy"].get("accuracy")) for one in scores.values())
    real = judge["digit_accuracy"].get("value", judge["digit_accuracy"].get("accuracy"))
    return {
        "title": "Conditional diffusion on digits",
        "picture": facts["diffusion"]["figures"][model][0],
        "of": model,
        "figures": [
            (_range(accuracies, 3), f"digit accuracy of {len(scores)} models"),
            (fixed(real, 3), "of real images, by the same judge"),
            (_range((one[score]["value"] for one in scores.values()), 1), distance(score)),
            (_range(evaluations, 0), "network evaluations for an image"),
        ],
    }


def _named(figures: list[dict[str, Any]], file: str) -> dict[str, Any]:
    return next((figure for figure in figures if figure["path"].name == file), figures[0])


def _range(values: Iterable[float], digits: int) -> str:
    """ "0.44 to 0.64", or one value if all print the same."""
    ordered = sorted(values)
    ends = dict.fromkeys(f"{value:.{digits}f}" for value in (ordered[0], ordered[-1]))
    return " to ".join(ends)
