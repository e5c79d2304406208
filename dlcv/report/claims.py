"""What the reports claim, and what this run has to say about each claim.

A claim stands in reference.yaml, with the function here that answers it and the models that it is about. The function
returns a sentence that is made of scores, or None if this run has nothing to say. No sentence ranks two methods with
fewer trainings of each than `words.LEAST`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlcv.report.words import LEAST, TOO_FEW, arrow, distance, fixed, gain, pair_verdict, verdict

Facts = Mapping[str, Any]  # of all sections, by name
NOT_HERE = "Nothing in this run is about it."
NO_INTERVAL = "No interval is measured, so this decides nothing."


def claims(facts: Facts, stated: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The claims of each section, with `report`, `says` and `here`.

    Args:
        facts: what `dlcv.report.sections` gathers, and `params`.
        stated: `claims` of reference.yaml.
    """
    return {
        area: [{**claim, "here": OBSERVED[claim["by"]](facts, *claim.get("of", ())) or NOT_HERE} for claim in each]
        for area, each in stated.items()
    }


def compared(a: str, first: Mapping[str, Any], b: str, second: Mapping[str, Any], trainings: int, digits: int) -> str:
    """What two scores say of two methods that are not paired: "a 0.90 (0.88 to 0.92), b 0.80 (…): …"."""
    text = f"{a} {_estimate(first, digits)}, {b} {_estimate(second, digits)}"
    if "interval" not in first or "interval" not in second:
        return f"{text}. {NO_INTERVAL}"
    if trainings < LEAST:
        return f"{text}: {TOO_FEW.format(trainings, LEAST)}"
    one, other = first["interval"], second["interval"]
    if one["low"] <= other["high"] and other["low"] <= one["high"]:
        return f"{text}: no difference is shown by {trainings} trainings of each; the intervals overlap."
    larger = a if one["low"] > other["high"] else b
    return f"{text}: that of {larger} is higher, by {trainings} trainings of each; the intervals do not overlap."


def _estimate(values: Mapping[str, Any], digits: int) -> str:
    interval = values.get("interval")
    text = fixed(values["value"] if "value" in values else values["accuracy"], digits)
    return text + (f" ({interval['low']:.{digits}f} to {interval['high']:.{digits}f})" if interval else "")


def _score(facts: Facts) -> str:
    return str(facts["gan"]["protocol"]["extractor"]["score"])


def pair(facts: Facts, a: str, b: str) -> str | None:
    """The verdict on the GANs `b` and `a` by their distances, and their face scores."""
    score, rows = _score(facts), facts["gan"]["rows"]
    for each in facts["gan"]["pairs"].values():
        if (each["a"], each["b"]) == (a, b):
            faces = " and ".join(f"{_estimate(rows[name]['face_score'], 3)} of {name}" for name in (a, b))
            return f"{distance(score)}: {pair_verdict(each, score)} Face scores: {faces}."
    return None


def _line(figures: list[dict[str, Any]], file: str, name: str) -> dict[str, Any] | None:
    """A curve of the chart `file` by its name."""
    charts = [each["live"] for each in figures if each["path"].name == file and each["live"]]
    lines = [line for chart in charts for panel in chart["panels"] for line in panel["lines"] if line["name"] == name]
    return lines[0] if lines else None


def label_swapping(facts: Facts) -> str | None:
    swaps = {name: about["params"]["training"].get("swap_labels", 0) for name, about in facts["gan"]["models"].items()}
    swapping = [f"{name} in {share:g} of the updates" for name, share in swaps.items() if share]
    if not swapping:
        return (
            "No model of this run swaps labels (`swap_labels: 0`). "
            "`dvc exp run -S ++gan.dcgan.swap_labels=0.05` trains one that does."
        )
    return f"Labels are swapped by {' and '.join(swapping)}; the table has its scores."


def balance(facts: Facts) -> str | None:
    texts = []
    for model, about in facts["gan"]["models"].items():
        if about["params"]["training"]["loss"] != "bce":
            continue  # the output of a critic is no probability
        real, fake = (_line(facts["gan"]["figures"][model], "curve.png", name) for name in ("D(x)", "D(G(z))"))
        if real and fake:
            texts.append(f"{model} {real['y'][-1]:.2f} and {fake['y'][-1]:.2f}")
    if not texts:
        return None
    return f"D(x) and D(G(z)) at the end: {'; '.join(texts)}. Whether training would have gone on is not measured."


def order(facts: Facts) -> str | None:
    texts: list[str] = []
    for figures in facts["gan"]["pair_figures"].values():
        for model in facts["gan"]["models"]:
            line = _line(figures, "frechet.png", model)
            if line and not any(text.startswith(f"{model} ") for text in texts):
                texts.append(f"{model} {', '.join(f'{value:.0f}' for value in line['y'])}")
    measured = f" {distance(_score(facts))} at the snapshots: {'; '.join(texts)}." if texts else ""
    return f"The order is to be seen with the slider over the snapshots; no score measures it.{measured}"


def two_losses(facts: Facts) -> str | None:
    scores, weight = facts["vae"]["scores"], facts["vae"]["training"]["params"]["training"]["kl_weight"]
    errors = scores["validation"]
    return (
        f"At the weight {weight:g}: MSE {fixed(errors['mse'], 4)}, KL {fixed(errors['kl'], 0)} nats on new images. "
        "Another weight is not trained here, so the trade-off itself is not measured."
    )


def attribute(facts: Facts) -> str | None:
    probe = facts["vae"]["first"]["scores"]["probe"]
    if not probe:
        return None
    read = probe.get("validation", probe["cross_validated"])
    return (
        f"A linear classifier reads `{probe['attribute']}` from the latents with an accuracy of {_estimate(read, 3)}; "
        f"always the most frequent class gives {read['chance']:.3f}."
    )


def against_gan(facts: Facts, *names: str) -> str:
    """The scores `names` of the VAE and of the GAN that it is compared with."""
    rival, vae = facts["vae"]["rival"], facts["vae"]["scores"]["samples"]
    trainings = min(len(facts["gan"]["seeds"]), len(facts["params"]["vae"]["seeds"]))
    gan = facts["gan"]["rows"][rival]
    return " ".join(
        f"{name.replace('_', ' ').capitalize()}: {compared('vae', vae[name], rival, gan[name], trainings, 3)}"
        for name in names
    )


def eta(facts: Facts) -> str | None:
    ddim = facts["ddim"]
    cells = {
        row: [f"{cell['distance']:.1f} in {steps} steps" for steps, cell in ddim["table"][row].items()]
        for row in ddim["rows"]
    }
    table = "; ".join(f"{row}: {', '.join(each)}" for row, each in cells.items())
    charted = [each["live"] for each in ddim["figures"] if each["path"].name == "eta.png" and each["live"]]
    text = f"{distance(_score(facts))} by η: {table}."
    if charted and charted[0]["notes"]:
        first = [note.removeprefix("MSE ") for note in charted[0]["notes"][0]]
        columns = [column.removeprefix("eta ") for column in charted[0]["columns"]]
        away = ", ".join(f"{change} at η = {column}" for column, change in zip(columns, first, strict=True))
        text += f" Noise 00, mean squared difference from its image at η = {columns[0]}, on 0..255: {away}."
    return f"{text} All of this is of one network."


def slerp(facts: Facts) -> str | None:
    between = facts["ddim"]["interpolation"]
    texts = [
        f"{name}: smallest norm {between[key]['smallest_norm']:.1f}, largest step between neighbours "
        f"{between[key]['largest_change']:.0f}"
        for key, name in (("spherical", "great circle"), ("linear", "straight line"))
    ]
    return (
        f"{'; '.join(texts)} (mean squared difference on 0..255). The latents of training have norms near those of the "
        "two ends. Whether an image is a face is to be seen with the slider."
    )


def reference_images(facts: Facts) -> str | None:
    found = [
        f"{source}: {ways['clipped']['mse']:.2f} with values clipped, {ways['stretched']['mse']:.2f} with each image "
        "stretched to its range"
        for source, ways in facts["ddim"]["tasks"].items()
    ]
    return f"{'; '.join(found)}." if found else "It needs the course's weights and noise: `data.ddim: [course]`."


def speed(facts: Facts) -> str | None:
    ddim, score = facts["ddim"]["scores"], _score(facts)
    gans = [facts["gan"]["rows"][name][score]["value"] for name in facts["gan"]["models"]]
    trainings = min(len(facts["gan"]["seeds"]), len(facts["params"]["ddim"]["seeds"]))
    steps = facts["ddim"]["protocol"]["network_evaluations_per_image"]
    end = "" if trainings >= LEAST else f" {TOO_FEW.format(trainings, LEAST).capitalize()}"
    return (
        f"{distance(score)} of ddim {_estimate(ddim[score], 2)}, of the GANs {min(gans):.2f} to {max(gans):.2f}; "
        f"{steps} network evaluations for an image against 1.{end} How easy a training is, is not measured."
    )


def timesteps(facts: Facts, a: str, b: str) -> str | None:
    scores = facts["diffusion"]["scores"]
    if a not in scores or b not in scores:
        return None
    trainings, key = len(facts["diffusion"]["seeds"]), facts["diffusion"]["protocol"]["extractor"]["score"]
    accuracy = compared(a, scores[a]["digit_accuracy"], b, scores[b]["digit_accuracy"], trainings, 3)
    distances = compared(a, scores[a][key], b, scores[b][key], trainings, 2)
    counts = [facts["diffusion"]["models"][name]["params"]["schedule"]["timesteps"] for name in (a, b)]
    settings = f"T = {counts[0]:,} and T = {counts[1]:,}, same network and sampler."
    return f"{settings} Digit accuracy: {accuracy} {distance(key)}: {distances}"


def skipping(facts: Facts) -> str | None:
    texts = []
    for model, scored in facts["diffusion"]["scored"].items():
        cells = [
            f"{column} {cell['accuracy']:.2f} ({cell['network_evaluations_per_image']:g})"
            for column, cell in scored["guidance"].items()
            if column != "real"
        ]
        texts.append(f"{model}: {', '.join(cells)}")
    count = facts["diffusion"]["protocol"]["table_images"]
    return f"Digit accuracy of {count} images and, in parentheses, network evaluations for each. {'; '.join(texts)}."


def digit_accuracies(facts: Facts) -> str | None:
    scores = facts["diffusion"]["scores"]
    texts = [f"{model} {_estimate(one['digit_accuracy'], 3)}" for model, one in scores.items()]
    trainings = len(facts["diffusion"]["seeds"])
    end = "" if trainings >= LEAST else f" {TOO_FEW.format(trainings, LEAST).capitalize()}"
    return f"Digit accuracy by model: {', '.join(texts)}. The models differ in more than the network.{end}"


def _rows(facts: Facts, *methods: str) -> dict[str, dict[str, Any]]:
    """The rows of the scenarios that have all of `methods`."""
    each = {name: one["rows"] for name, one in facts["adaptation"]["scenarios"].items()}
    return {name: rows for name, rows in each.items() if all(method in rows for method in methods)}


def gains(facts: Facts, method: str) -> str | None:
    """The gain of a method over source-only in each scenario."""
    found = _rows(facts, method)
    if not found:
        return None
    text = "; ".join(f"{arrow(name)} {gain(rows[method]['gain'])}" for name, rows in found.items())
    trainings = min(len(rows[method]["gain"]["seeds"]) for rows in found.values())
    if trainings < LEAST:
        return f"Gain over source-only: {text}. {TOO_FEW.format(trainings, LEAST).capitalize()}"
    verdicts = " ".join(f"{arrow(name)}: {verdict(method, rows)}" for name, rows in found.items())
    return f"Gain over source-only: {text}. {verdicts}"


def accuracies(facts: Facts, method: str, *scenarios: str) -> str | None:
    """The accuracy of a method in some scenarios, between those of training on the source and on the target."""
    found = _rows(facts, method)
    texts = []
    for name in scenarios:
        if name in found:
            low, own, top = (
                _estimate(found[name][row], 3) for row in ("trained_on_source", method, "trained_on_target")
            )
            label = found[name][method]["label"]
            texts.append(f"{arrow(name)}: source-only {low}, {label} {own}, trained on target {top}")
    source = facts["params"]["data"]["source"]
    end = "" if source == "course" else f" The sets of the source `{source}` are others than the reports'."
    return f"{'. '.join(texts)}.{end}" if texts else None


def distances(facts: Facts, method: str) -> str | None:
    """The distance between the domains in the features of a method, in each scenario."""
    texts = [f"{arrow(name)} {rows[method]['proxy_a_distance']:.2f}" for name, rows in _rows(facts, method).items()]
    return f"Proxy A-distance of the features (0: mixed, 2: apart): {', '.join(texts)}." if texts else None


def variants(facts: Facts, *names: str) -> str | None:
    """The accuracies of variants of DANN in each scenario that compares them."""
    texts = []
    trainings = len(facts["params"]["adaptation"]["comparison"]["seeds"])
    for scenario, one in facts["adaptation"]["comparisons"].items():
        found = [name for name in names if name in one["variants"]]
        if len(found) > 1:
            each = [f"{name} {_estimate(one['variants'][name]['dann'], 3)}" for name in found]
            texts.append(f"{arrow(scenario)}: {', '.join(each)}")
    if not texts:
        return f"Needs the variants {' and '.join(f'`{name}`' for name in names)} of `adaptation.comparison`."
    end = TOO_FEW.format(trainings, LEAST).capitalize() if trainings < LEAST else f"{trainings} trainings of each."
    return f"Accuracy of DANN with the variants. {'. '.join(texts)}. {end}"


def methods(facts: Facts, a: str, b: str) -> str | None:
    """The accuracies of two methods in each scenario that has both."""
    texts = []
    for name, rows in _rows(facts, a, b).items():
        one, other = rows[a], rows[b]
        trainings = min(len(one["trainings"]), len(other["trainings"]))
        texts.append(f"{arrow(name)}: {compared(one['label'], one, other['label'], other, trainings, 3)}")
    return f"{' '.join(texts)} The two have other networks and settings." if texts else None


# By the name in reference.yaml.
OBSERVED: dict[str, Callable[..., str | None]] = {
    function.__name__: function
    for function in (
        *(pair, label_swapping, balance, order),
        *(two_losses, attribute, against_gan),
        *(eta, slerp, reference_images, speed),
        *(timesteps, skipping, digit_accuracies),
        *(gains, accuracies, distances, variants, methods),
    )
}
