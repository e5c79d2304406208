"""The report's section on domain adaptation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.report.files import link, read, refuse_unclaimed

METRICS = Path("metrics/adaptation")
OUT = Path("out/adaptation")
CAPTIONS = {
    "tsne-class.png": "t-SNE of the output of the convolutions, coloured by digit; source and target fitted together.",
    "tsne-domain.png": "The same maps, coloured by domain.",
    "confusion.png": "Confusion on the target's validation pictures: rows are labels, in per cent.",
    "curve.png": "Training of DANN: losses, lambda and information (nats); accuracies on training batches.",
}


def adaptation(params: dict[str, Any]) -> dict[str, Any]:
    """What the template needs; `params` are those of params.yaml.

    Raises:
        UserError: a file that params.yaml implies is missing, or one lies there that it does not imply.
    """
    names = list(params["adaptation"]["scenarios"])
    refuse_unclaimed(METRICS, {f"{name}.json" for name in names})
    scenarios = {name: read(METRICS / f"{name}.json") for name in names}
    return {
        "scenarios": scenarios,
        "figures": {name: {link(OUT / name / file): caption for file, caption in CAPTIONS.items()} for name in names},
        "trainings": trainings(scenarios),
    }


def trainings(scenarios: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every training behind the scores, with the JSON beside its weights."""
    found: dict[str, dict[str, Any]] = {}
    for scores in scenarios.values():
        for values in scores["rows"].values():
            name = values["training"]["name"]
            method, _, task = name.partition("-")
            found[name] = {**read(OUT / name / "weights.json"), "stage": f"{method}@{task}"}
    return dict(sorted(found.items()))


def reports(figures: dict[str, float]) -> str:
    """ "0.4448 (002)": the figures of the reports, the best in bold."""
    best = max(figures.values(), default=0.0)
    return ", ".join(f"**{x:.4f}** ({key})" if x == best else f"{x:.4f} ({key})" for key, x in figures.items())


def verdict(scores: dict[str, Any]) -> str:
    """One sentence on whether adaptation beats the network trained on the source."""
    row = scores["rows"]["dann"]
    if row["gain"]["interval"]["low"] > 0:
        return f"{row['label']} beats the network trained on the source by more than the paired interval."
    if row["gain"]["interval"]["high"] < 0:
        return f"{row['label']} loses to the network trained on the source by more than the paired interval."
    return f"{row['label']} and the network trained on the source cannot be told apart: the interval contains 0."
