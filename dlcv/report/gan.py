"""The report's section on GANs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.evaluation.extractors.names import score_name
from dlcv.report.files import link, read, refuse_unclaimed

METRICS = Path("metrics/gan")
OUT = Path("out/gan")
REFERENCE = Path("metrics/evaluation/faces.json")
CAPTIONS = {
    "samples/strip.png": "Eight latents at each snapshot of the averaged generator.",
    "evaluation/curve.png": "Losses of generator and discriminator; what the discriminator says of real (D(x)) and of "
    "generated (D(G(z))) images, a critic in its own units; diversity is the deviation within a batch.",
    "evaluation/neighbours.png": "Generated images over their nearest training images by the extractor's features.",
}
PAIR_CAPTIONS = {
    "pair.png": "The first 32 images of each, from the same latents.",
    "frechet.png": "Fréchet distance of the snapshots, of 500 images or as many as the table has, if fewer.",
}


def gan(params: dict[str, Any]) -> dict[str, Any]:
    """What the template needs; `params` are those of params.yaml.

    Raises:
        UserError: a file that params.yaml implies is missing, or one lies there that it does not imply.
    """
    section = params["gan"]
    models, pairs = section["models"], list(section["pairs"])
    refuse_unclaimed(METRICS, {f"{name}.json" for name in [*models, *pairs]})
    real = read(REFERENCE)
    scored = {model: read(METRICS / f"{model}.json") for model in models}
    rows = {**{model: scores["scores"] for model, scores in scored.items()}, **real["rows"]}
    score = score_name(real["protocol"])
    return {
        "rows": rows,
        "score": score,
        "distance": "FID" if score == "fid" else "Fréchet distance",
        "protocol": real["protocol"],
        "pairs": {name: read(METRICS / f"{name}.json") for name in pairs},
        "trainings": {model: read(OUT / model / "weights.json") for model in models},
        "figures": {
            model: {link(OUT / f"{model}-{file}"): caption for file, caption in CAPTIONS.items()} for model in models
        },
        "pair_figures": {
            name: {link(OUT / name / file): caption for file, caption in PAIR_CAPTIONS.items()} for name in pairs
        },
    }


def pair_verdict(pair: dict[str, Any], score: str) -> str:
    """One sentence on whether B's distance differs from A's by more than the interval."""
    difference, interval = pair[score]["b_less_a"], pair[score]["interval"]
    figures = f"{difference:+.2f} ({interval['low']:+.2f} to {interval['high']:+.2f})"
    if interval["high"] < 0:
        return f"{pair['b']} is ahead of {pair['a']} by more than the interval: {figures}."
    if interval["low"] > 0:
        return f"{pair['b']} is behind {pair['a']} by more than the interval: {figures}."
    return f"{pair['b']} and {pair['a']} cannot be told apart: {figures}."
