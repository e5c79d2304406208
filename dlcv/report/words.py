"""Numbers, table rows and verdicts as the templates print them; a value that is None leaves a blank."""

from __future__ import annotations

from typing import Any

LEAST = 3  # pairs of trainings, for a statement about two methods
TOO_FEW = "nothing can be said about the methods; trainings of each: {} of the {} that are needed."


def header(*cells: object) -> str:
    """The two lines above the rows of a Markdown table."""
    return f"{row(*cells)}\n|{' --- |' * len(cells)}"


def row(*cells: object) -> str:
    """One row of a Markdown table."""
    return f"| {' | '.join('' if cell is None else str(cell) for cell in cells)} |"


def fixed(value: float | dict[str, Any] | None, digits: int = 4) -> str:
    """ "0.6955": a number with so many digits after the point; "0.6955 ± 0.0042" of a score over several trainings."""
    if isinstance(value, dict):
        return fixed(value["value"], digits) + _deviation(value, digits)
    # float names what is missing where the template found nothing.
    return "" if value is None else f"{float(value):.{digits}f}"


def _deviation(values: dict[str, Any], digits: int) -> str:
    """ " ± 0.0042": the standard deviation over the trainings if there are several."""
    return f" ± {values['standard_deviation']:.{digits}f}" if "standard_deviation" in values else ""


def thousands(value: int | None) -> str:
    """ "257,254"."""
    return "" if value is None else f"{int(value):,}"


def estimate(values: dict[str, Any], digits: int = 4) -> str:
    """ "0.90 ± 0.01 (0.85 to 0.94)": `value` or `accuracy` of some scores, its deviation and its interval."""
    value = values["value"] if "value" in values else values["accuracy"]
    low, high = values["interval"]["low"], values["interval"]["high"]
    return f"{value:.{digits}f}{_deviation(values, digits)} ({low:.{digits}f} to {high:.{digits}f})"


def kid(values: dict[str, float]) -> str:
    """ "12.30": the kernel distance times 1000, and its standard deviation over the trainings if there are several."""
    return fixed({key: 1000 * value for key, value in values.items()}, 2)


def distance(score: str) -> str:
    """What the report calls the Fréchet distance whose key among the scores is `score`."""
    return "FID" if score == "fid" else "Fréchet distance"


def parameters(network: dict[str, Any]) -> str:
    """ "378,080 (3,576,704)": the parameters of a network and, where they are known, those at width 1."""
    full = network.get("parameters_at_width_1")
    return thousands(network["parameters"]) + (f" ({full:,})" if full is not None else "")


def arrow(scenario: str) -> str:
    """ "mnistm → svhn" of "mnistm-svhn"."""
    return " → ".join(scenario.split("-"))


def reports(figures: dict[str, float]) -> str:
    """ "0.4448 (002)": the figures of the reports, the best in bold."""
    best = max(figures.values(), default=0.0)
    return ", ".join(f"**{x:.4f}** ({key})" if x == best else f"{x:.4f} ({key})" for key, x in figures.items())


def spread(values: dict[str, Any]) -> str:
    """ "0.6955 ± 0.0042": an accuracy, and the standard deviation over the seeds if there are several."""
    return fixed(values["accuracy"]) + _deviation(values, 4)


def settings(values: dict[str, Any]) -> str:
    """ "network lenet, dropout 0.3"."""
    return ", ".join(f"{key} {value}" for key, value in values.items())


def gain(values: dict[str, Any] | None) -> str:
    """ "+0.0420 (+0.0170 to +0.0680)": the gain over the source-only baseline, and its interval."""
    if values is None:
        return ""
    interval = values["interval"]
    return f"{values['over_trained_on_source']:+.4f} ({interval['low']:+.4f} to {interval['high']:+.4f})"


def interval_of(seeds: list[int]) -> str:
    """What the interval of a score is about."""
    if len(seeds) == 1:
        return "the 95 % interval of the images, from one training: it knows nothing of other trainings"
    return f"the 95 % interval for a new training on new images, from {len(seeds)} trainings"


def verdict(name: str, rows: dict[str, Any]) -> str:
    """One sentence on whether the row `name` differs from its source-only baseline by more than the interval."""
    own = rows[name]["gain"]
    who, base, interval, trainings = rows[name]["label"], rows[own["over"]], own["interval"], len(own["seeds"])
    over = f'"{base["label"]}" ({base["network"]})'
    if trainings < LEAST:
        return f"{who} and {over}: {TOO_FEW.format(trainings, LEAST)}"
    if interval["low"] <= 0 <= interval["high"]:
        return f"no difference between {who} and {over} is shown by {trainings} pairs of trainings."
    comparison = "more" if interval["low"] > 0 else "less"
    return f"{who} is {comparison} accurate than {over}, by {trainings} pairs of trainings."


def errors(values: dict[str, Any]) -> str:
    """The confusion of a row in words: the two classes with the lowest accuracy, and the class predicted too often."""
    confusion = values["confusion"]
    worst = sorted(range(len(confusion)), key=lambda label: values["per_class"][label])[:2]
    parts = []
    for label in worst:
        wrong = [0 if prediction == label else count for prediction, count in enumerate(confusion[label])]
        most = max(range(len(wrong)), key=wrong.__getitem__)
        text = f"{label} ({values['per_class'][label]:.2f}"
        share = wrong[most] / sum(confusion[label])
        parts.append(f"{text}; {share:.2f} predicted as {most})" if wrong[most] else f"{text})")
    predicted = [sum(counts[label] for counts in confusion) for label in range(len(confusion))]
    often = max(range(len(predicted)), key=lambda label: predicted[label] - sum(confusion[label]))
    labelled, given = sum(confusion[often]) / sum(predicted), predicted[often] / sum(predicted)
    text = f"the lowest accuracies are those of {' and '.join(parts)}"
    if given <= labelled:
        return text
    return f"{text}; {often} is predicted for {given:.2f} of the images and is the label of {labelled:.2f}"


def pair_verdict(pair: dict[str, Any], score: str) -> str:
    """One sentence on whether B's distance differs from A's by more than the interval."""
    interval, trainings = pair[score]["interval"], pair[score]["trainings"]
    figures = f"{pair[score]['value']:+.2f} ({interval['low']:+.2f} to {interval['high']:+.2f})"
    if trainings < LEAST:
        return f"{pair['b']} less {pair['a']}: {figures}; {TOO_FEW.format(trainings, LEAST)}"
    if interval["low"] <= 0 <= interval["high"]:
        return (
            f"no difference between {pair['b']} and {pair['a']} is shown by {trainings} pairs of trainings: {figures}."
        )
    comparison = "lower" if interval["high"] < 0 else "higher"
    return f"{pair['b']} has a {comparison} distance than {pair['a']}, by {trainings} pairs of trainings: {figures}."


TABLES = (header, interval_of, row)
FILTERS = (
    arrow,
    distance,
    errors,
    estimate,
    fixed,
    gain,
    kid,
    pair_verdict,
    parameters,
    reports,
    settings,
    spread,
    thousands,
    verdict,
)
