"""The report's section on conditional diffusion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.evaluation.extractors.names import score_name
from dlcv.report.files import link, read, refuse_unclaimed

METRICS = Path("metrics/diffusion")
OUT = Path("out/diffusion")
JUDGE = Path("metrics/evaluation/judge.json")
JUDGE_OUT = Path("out/evaluation/judge")
CAPTIONS = {
    "samples/grid.png": "Digits (rows) from ten noises (columns).",
    "samples/process.png": "The way to the grid's first 0 at six evenly spaced steps, the time step under each.",
    "evaluation/guidance.png": "Digit accuracy by the judge, with its interval, and distance against the guidance "
    "scale w, from the same noises.",
    "evaluation/confusion.png": "What the judge reads (columns) where a digit was asked for (rows), in per cent.",
    "evaluation/neighbours.png": "One image of each digit over its nearest training image by the extractor's features.",
    "evaluation/curve.png": "The loss as it is weighted, the squared error of the network's output without weights, "
    "and the norm of the gradient before clipping.",
    "evaluation/diagram.png": "The network as it was trained. Time and class enter the coloured parts; grey arcs are "
    "outputs that are set beside a later input.",
}


def diffusion(params: dict[str, Any]) -> dict[str, Any]:
    """What the template needs; `params` are those of params.yaml.

    Raises:
        UserError: a file that params.yaml implies is missing, or one lies there that it does not imply.
    """
    models = params["diffusion"]["models"]
    refuse_unclaimed(METRICS, {f"{model}.json" for model in models})
    scored = {model: read(METRICS / f"{model}.json") for model in models}
    first = scored[models[0]]
    score = score_name(first["protocol"])
    return {
        "scored": scored,
        "score": score,
        "distance": "FID" if score == "fid" else "Fréchet distance",
        "real": first["real"],
        "protocol": first["protocol"],
        # Every model's table has the same columns, and the same real images.
        "columns": list(first["guidance"]),
        "judge": read(JUDGE),
        "judge_training": read(JUDGE_OUT / "weights.json"),
        "judge_figure": link(JUDGE_OUT / "confusion.png"),
        "trainings": {model: read(OUT / model / "weights.json") for model in models},
        "figures": {
            model: {link(OUT / f"{model}-{file}"): caption for file, caption in CAPTIONS.items()} for model in models
        },
    }
