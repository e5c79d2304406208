"""What the reports claim, and what this run has to say about each claim.

A claim stands in reference.yaml; the function of the same name returns a sentence that is made of scores, or None if
this run has nothing to say. No sentence ranks two methods with fewer trainings of each than `words.LEAST`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dlcv.report.words import LEAST, TOO_FEW, arrow, distance, fixed, gain, pair_verdict, verdict

Facts = Mapping[str, Any]  # of all sections, by name
NOT_HERE = "Nothing in this run is about it."
NO_INTERVAL = "No interval is measured, so this decides nothing."


def claims(facts: Facts, stated: Mapping[str, Mapping[str, Mapping[str, str]]]) -> dict[str, list[dict[str, str]]]:
    """The claims of each section, with `report`, `says` and `here`.

    Args:
        facts: what `dlcv.report.sections` gathers, and `params`.
        stated: `claims` of reference.yaml.
    """
    return {
        area: [{**claim, "here": OBSERVED[name](facts) or NOT_HERE} for name, claim in each.items()]
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


def _pair(facts: Facts, a: str, b: str) -> str | None:
    """The verdict on the GANs `b` and `a` by their distances, and their face scores."""
    score, rows = _score(facts), facts["gan"]["rows"]
    for pair in facts["gan"]["pairs"].values():
        if (pair["a"], pair["b"]) == (a, b):
            faces = " and ".join(f"{_estimate(rows[name]['face_score'], 3)} of {name}" for name in (a, b))
            return f"{distance(score)}: {pair_verdict(pair, score)} Face scores: {faces}."
    return None


def _line(figures: list[dict[str, Any]], file: str, name: str) -> dict[str, Any] | None:
    """A curve of the chart `file` by its name."""
    charts = [each["live"] for each in figures if each["path"].name == file and each["live"]]
    lines = [line for chart in charts for panel in chart["panels"] for line in panel["lines"] if line["name"] == name]
    return lines[0] if lines else None


def noisy_labels(facts: Facts) -> str | None:
    return _pair(facts, "dcgan", "dcgan-noisy-labels")


def gradient_penalty(facts: Facts) -> str | None:
    return _pair(facts, "dcgan-k5", "wgan-gp")


def spectral_norm(facts: Facts) -> str | None:
    return _pair(facts, "dcgan", "sngan")


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


def _vae_and_gan(facts: Facts, names: tuple[str, ...]) -> str:
    rival, vae = facts["vae"]["rival"], facts["vae"]["scores"]["samples"]
    trainings = min(len(facts["gan"]["seeds"]), len(facts["params"]["vae"]["seeds"]))
    gan = facts["gan"]["rows"][rival]
    return " ".join(
        f"{name.replace('_', ' ').capitalize()}: {compared('vae', vae[name], rival, gan[name], trainings, 3)}"
        for name in names
    )


def diversity(facts: Facts) -> str | None:
    return _vae_and_gan(facts, ("recall", "coverage"))


def naturalness(facts: Facts) -> str | None:
    return _vae_and_gan(facts, ("precision", "face_score"))


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
    return (
        "It needs the course's weights and noise; with them `dlcv ddim sample --noise` and `dlcv evaluate mse` show it."
    )


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


def timesteps(facts: Facts) -> str | None:
    scores, names = facts["diffusion"]["scores"], ("context-unet", "context-unet-t1000")
    if any(name not in scores for name in names):
        return None
    a, b = names
    trainings, key = len(facts["diffusion"]["seeds"]), facts["diffusion"]["protocol"]["extractor"]["score"]
    accuracy = compared(a, scores[a]["digit_accuracy"], b, scores[b]["digit_accuracy"], trainings, 3)
    distances = compared(a, scores[a][key], b, scores[b][key], trainings, 2)
    counts = [facts["diffusion"]["models"][name]["params"]["schedule"]["timesteps"] for name in names]
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


def times_of_digits(facts: Facts) -> str | None:
    scores = facts["diffusion"]["scores"]
    texts = [f"{model} {_estimate(one['digit_accuracy'], 3)}" for model, one in scores.items()]
    trainings = len(facts["diffusion"]["seeds"])
    end = "" if trainings >= LEAST else f" {TOO_FEW.format(trainings, LEAST).capitalize()}"
    return f"Digit accuracy by model: {', '.join(texts)}. The models differ in more than the network.{end}"


def gain_(facts: Facts) -> str | None:
    texts = []
    for name, scores in facts["adaptation"]["scenarios"].items():
        if "dann" in scores["rows"]:
            row = scores["rows"]["dann"]
            texts.append(f"{arrow(name)}: gain {gain(row['gain'])}; {verdict('dann', scores['rows'])}")
    return " ".join(texts) or None


def svhn_is_harder(facts: Facts) -> str | None:
    texts = []
    for name in ("mnistm-usps", "mnistm-svhn"):
        rows = facts["adaptation"]["scenarios"].get(name, {}).get("rows", {})
        if "dann" in rows:
            top, low = (_estimate(rows[row], 3) for row in ("trained_on_target", "trained_on_source"))
            texts.append(
                f"{arrow(name)}: DANN {_estimate(rows['dann'], 3)}, source-only {low}, trained on target {top}"
            )
    source = facts["params"]["data"]["source"]
    end = "" if source == "course" else f" The sets of the source `{source}` are others than the reports'."
    return f"{'. '.join(texts)}.{end}" if texts else None


def mixing(facts: Facts) -> str | None:
    texts = [
        f"{arrow(name)} {scores['rows']['dann']['proxy_a_distance']:.2f}"
        for name, scores in facts["adaptation"]["scenarios"].items()
        if "dann" in scores["rows"]
    ]
    return f"Proxy A-distance of DANN's features (0: mixed, 2: apart): {', '.join(texts)}." if texts else None


def _variants(facts: Facts, names: tuple[str, ...]) -> str | None:
    texts = []
    trainings = len(facts["params"]["adaptation"]["comparison"]["seeds"])
    for scenario, compared_ in facts["adaptation"]["comparisons"].items():
        found = [name for name in names if name in compared_["variants"]]
        if len(found) > 1:
            each = [f"{name} {_estimate(compared_['variants'][name]['dann'], 3)}" for name in found]
            texts.append(f"{arrow(scenario)}: {', '.join(each)}")
    if not texts:
        return f"Needs the variants {' and '.join(f'`{name}`' for name in names)} of `adaptation.comparison`."
    end = (
        f" {TOO_FEW.format(trainings, LEAST).capitalize()}" if trainings < LEAST else f" {trainings} trainings of each."
    )
    return f"Accuracy of DANN with the variants. {'. '.join(texts)}.{end}"


def alternating(facts: Facts) -> str | None:
    return _variants(facts, ("paper", "alternating"))


def poolings(facts: Facts) -> str | None:
    return _variants(facts, ("deep", "deep-5"))


def heads(facts: Facts) -> str | None:
    return _variants(facts, ("mish-shallow", "mish", "mish-deeper"))


def gta(facts: Facts) -> str | None:
    texts = []
    for name, scores in facts["adaptation"]["scenarios"].items():
        rows = scores["rows"]
        if "gta" in rows and "dann" in rows:
            trainings = min(len(rows["gta"]["trainings"]), len(rows["dann"]["trainings"]))
            figures = compared("Generate To Adapt", rows["gta"], "DANN", rows["dann"], trainings, 3)
            texts.append(f"{arrow(name)}: {figures}")
    return f"{' '.join(texts)} The two have other networks and settings." if texts else None


# By the key of reference.yaml.
OBSERVED: dict[str, Callable[[Facts], str | None]] = {
    **{
        function.__name__: function
        for function in (
            *(noisy_labels, gradient_penalty, spectral_norm, label_swapping, balance, order),
            *(two_losses, attribute, diversity, naturalness),
            *(eta, slerp, reference_images, speed),
            *(timesteps, skipping, times_of_digits),
            *(svhn_is_harder, mixing, alternating, poolings, heads, gta),
        )
    },
    "gain": gain_,
}
