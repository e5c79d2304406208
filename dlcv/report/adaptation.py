"""The report's section on domain adaptation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlcv.report.files import link, read, refuse_unclaimed

METRICS = Path("metrics/adaptation")
OUT = Path("out/adaptation")
STAGES = "stages/adaptation/dvc.yaml"
CAPTIONS = {
    "tsne-class.png": "t-SNE of the output of the convolutions, coloured by digit; source and target fitted together.",
    "tsne-domain.png": "The same maps, coloured by domain.",
    "confusion.png": "Confusion on the target's validation images, of all seeds: rows are labels, in per cent.",
    "inputs.png": "Validation images as they are and as the networks see them in training: changed at "
    "random, then normalised, and for Generate To Adapt made grey first where the scenario asks for it.",
}
CURVES = {
    "dann": "Training of DANN: class and domain loss, lambda and information (nats); accuracies on training batches, "
    "where a domain accuracy of 1/2 is chance.",
    "gta": "Training of Generate To Adapt: losses of C (class), D, G and F (features), and D's loss on real images "
    "and on those painted from the target (domain); the domain accuracy is D's, on the same.",
    "selftraining": "Self-training: class loss on the source, loss on what the teacher is sure of (target); the share "
    "of the target that is taught so, and the teacher's share of the digit that it answers least.",
}
PAINTED = "What G paints from the features of source images, in their classes, and of target images, in none: "
PAINTED += "digits of the source's look under the target's are what the method is after."


def adaptation(params: dict[str, Any]) -> dict[str, Any]:
    """What the template needs; `params` are those of params.yaml.

    Raises:
        UserError: a file that params.yaml implies is missing, or one lies there that it does not imply.
    """
    section = params["adaptation"]
    names, compared = list(section["scenarios"]), section["comparison"]["scenarios"]
    refuse_unclaimed(METRICS, {f"{name}.json" for name in [*names, *(f"{name}-variants" for name in compared)]})
    scenarios = {name: read(METRICS / f"{name}.json") for name in names}
    comparisons = {name: read(METRICS / f"{name}-variants.json") for name in compared}
    found = trainings(scenarios, comparisons)
    return {
        "scenarios": scenarios,
        "comparisons": comparisons,
        "figures": {name: figures(name, section) for name in names},
        "methods": list(section["methods"]),
        "networks": printed(found),
        "trainings": found,
    }


def figures(name: str, section: dict[str, Any]) -> dict[str, str]:
    """Link and caption of every figure of a scenario."""
    run = [method for method, names in section["methods"].items() if name in names]
    captions = {**CAPTIONS, **{f"curve-{method}.png": CURVES[method] for method in run}}
    if "gta" in run:
        captions["painted.png"] = PAINTED
    return {link(OUT / f"{name}-evaluation" / file): caption for file, caption in captions.items()}


def trainings(scenarios: dict[str, Any], comparisons: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every training behind the scores by its name, which is its place in `out`, with the JSON beside its weights."""
    stages: dict[str, str] = {}
    for scores in scenarios.values():
        for values in scores["rows"].values():
            for training in values["trainings"]:
                # "mnistm-svhn/dann-0" is made by dann@mnistm-svhn-0.
                task, own = training["name"].split("/")
                method, seed = own.split("-")
                stages[training["name"]] = f"{STAGES}:{method}@{task}-{seed}"
    for name, scores in comparisons.items():
        for variant, values in scores["variants"].items():
            for training in values["trainings"]:
                stages[training["name"]] = f"{STAGES}:variant@{variant}-{name}"
    return {name: {**read(OUT / name / "weights.json"), "stage": stage} for name, stage in sorted(stages.items())}


def printed(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The layers of each architecture that was trained, once, under its name and settings."""
    networks: dict[str, dict[str, Any]] = {}
    for about in found.values():
        architecture = about["architecture"]
        own = dict(architecture.get("settings", {}).get(architecture["network"], {}))
        if "width" in architecture:
            own["width"] = architecture["width"]
        title = ", ".join([architecture["network"], *(f"{key} {value}" for key, value in own.items())])
        networks.setdefault(title, {"parameters": about["parameters"], "parts": about["networks"]})
    return dict(sorted(networks.items()))


def reports(figures: dict[str, float]) -> str:
    """ "0.4448 (002)": the figures of the reports, the best in bold."""
    best = max(figures.values(), default=0.0)
    return ", ".join(f"**{x:.4f}** ({key})" if x == best else f"{x:.4f} ({key})" for key, x in figures.items())


def spread(values: dict[str, Any]) -> str:
    """ "0.6955 ± 0.0042": an accuracy, and the standard deviation over the seeds where there are several."""
    text = f"{values['accuracy']:.4f}"
    return f"{text} ± {values['standard_deviation']:.4f}" if "standard_deviation" in values else text


def verdict(row: str, rows: dict[str, Any]) -> str:
    """One sentence on whether a row beats the source alone, in every seed and beyond the interval."""
    gain = rows[row]["gain"]
    who, base, interval, seeds = rows[row]["label"], rows[gain["over"]], gain["interval"], list(gain["seeds"].values())
    over = f'"{base["label"]}" ({base["network"]})'
    if interval["low"] <= 0 <= interval["high"]:
        return f"{who} and {over} cannot be told apart: the interval contains 0."
    verb, sign = ("beats", 1) if interval["low"] > 0 else ("loses to", -1)
    each = f" from {sum(sign * one > 0 for one in seeds)} of {len(seeds)} seeds" if len(seeds) > 1 else ""
    return f"{who} {verb} {over}{each}, by more than the paired interval."


def reasons(values: dict[str, Any]) -> str:
    """What the confusion says of a row: the digits read worst, and what they are taken for."""
    confusion = values["confusion"]
    worst = sorted(range(len(confusion)), key=lambda digit: values["per_class"][digit])[:2]
    parts = []
    for digit in worst:
        wrong = [0 if answer == digit else count for answer, count in enumerate(confusion[digit])]
        most = max(range(len(wrong)), key=wrong.__getitem__)
        text = f"{digit} ({values['per_class'][digit]:.2f}"
        parts.append(f"{text}; {wrong[most] / sum(confusion[digit]):.2f} as {most})" if wrong[most] else f"{text})")
    answers = [sum(row[digit] for row in confusion) for digit in range(len(confusion))]
    often = max(range(len(answers)), key=lambda digit: answers[digit] - sum(confusion[digit]))
    asked, given = sum(confusion[often]) / sum(answers), answers[often] / sum(answers)
    text = f"read worst are {' and '.join(parts)}"
    return f"{text}; {often} is answered to {given:.2f} of the images and is in {asked:.2f}" if given > asked else text
