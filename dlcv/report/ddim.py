"""The report's section on DDIM."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from dlcv.evaluation.extractors.names import score_name
from dlcv.report.files import link, read, refuse_unclaimed

METRICS = Path("metrics/ddim")
OUT = Path("out/ddim")
CAPTIONS = {
    "samples/grid.png": "The first 32 images.",
    "samples/eta.png": "Noise 00 to 03 (rows) at several eta (columns); the fresh noise of a row is the same at each.",
    "samples/interpolation.png": "From noise 00 to noise 01, along the great circle and along the straight line, and "
    "the norm of each latent: the network has only seen noise whose norm is near that of the ends.",
    "samples/process.png": "The way from noise 00: x after a step, and the image x0 that the network saw in it.",
    "samples/strip.png": "Eight noises at each snapshot of the averaged network.",
    "evaluation/table.png": "The table above as lines.",
    "evaluation/neighbours.png": "Generated images over their nearest training images by the extractor's features.",
    "evaluation/curve.png": "Mean squared error of the network's output, and the norm of its gradient before clipping.",
}


def ddim(params: dict[str, Any], vae: dict[str, Any]) -> dict[str, Any]:
    """What the template needs; `params` are those of params.yaml, `vae` what the section on the VAE got.

    Raises:
        UserError: a file that params.yaml implies is missing, or one lies there that it does not imply.
    """
    section = params["ddim"]
    refuse_unclaimed(METRICS, {"unet.json"})
    scored = read(METRICS / "unet.json")
    score = score_name(scored["protocol"])
    rows = [f"eta {eta:g}" for eta in section["table"]["etas"]]
    steps = [str(steps) for steps in section["table"]["steps"]]
    return {
        "rows": {"ddim": scored["scores"], **vae["rows"]},
        "score": score,
        "distance": "FID" if score == "fid" else "Fréchet distance",
        "protocol": scored["protocol"],
        "table": {row: scored["table"][row] for row in [*rows, *(["sigma-hat"] * section["table"]["sigma_hat"])]},
        "real": scored["table"]["real"],
        "steps": steps,
        "order": order(scored["table"], rows, steps),
        "interpolation": scored["interpolation"],
        "training": read(OUT / "unet" / "weights.json"),
        "figures": {link(OUT / f"unet-{file}"): caption for file, caption in CAPTIONS.items()},
    }


def order(table: dict[str, Any], rows: list[str], steps: list[str]) -> list[str]:
    """Where the table is ordered otherwise than the paper's, whose distances rise with eta and fall with the steps."""
    found = []
    for count in steps:
        for low, high in pairwise(rows):
            if table[high][count]["distance"] < table[low][count]["distance"]:
                found.append(f"at {count} steps {high} is below {low}")
    for row in rows:
        for few, many in pairwise(steps):
            if table[row][many]["distance"] > table[row][few]["distance"]:
                found.append(f"at {row} {many} steps are above {few}")
    return found
