"""The first screen of the report: a picture and a few figures of each problem."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dlcv.report.words import arrow, distance

Card = dict[str, Any]


def cards(sections: Mapping[str, Any]) -> list[Card]:
    """Of each problem `title`, `anchor`, `picture`, its text `alt`, and `facts`, pairs of texts."""
    return [card(sections) for card in (_gan, _vae, _ddim, _adaptation, _diffusion)]


def _gan(sections: Mapping[str, Any]) -> Card:
    section, key = sections["gan"], _key(sections)
    own = {name: section["rows"][name] for name in section["models"]}
    name = min(own, key=lambda name: own[name][key]["value"])
    face = max(own, key=lambda name: own[name]["face_score"]["value"])
    trivial = {"pca": "of a mean face with noise", "real": "of real images"}
    facts = [(f"lowest {distance(key)}", f"{own[name][key]['value']:.1f} ({name})")]
    facts += [(text, f"{section['rows'][row][key]['value']:.1f}") for row, text in trivial.items()]
    facts += [("highest face score", f"{own[face]['face_score']['value']:.2f} ({face})"), _trainings(section["seeds"])]
    return _card("1. GANs on faces", "1-gans-on-faces", section["figures"][name][0], facts)


def _vae(sections: Mapping[str, Any]) -> Card:
    section, key = sections["vae"], _key(sections)
    scores, linear = section["scores"], section["first"]["scores"]["pca"]
    facts = [
        ("MSE of validation images", f"{scores['validation']['mse']['value']:.4f}"),
        (f"of {linear['components']} principal components", f"{linear['validation']['mse']:.4f}"),
        ("KL divergence, nats", f"{scores['validation']['kl']['value']:.0f}"),
        (f"{distance(key)} of samples", f"{scores['samples'][key]['value']:.1f}"),
        _trainings(section["trainings"]),
    ]
    shown = [figure for figure in section["figures"] if "prior" in figure["caption"]] or section["figures"]
    return _card("2. VAE on faces", "2-vae-on-faces", shown[0], facts)


def _ddim(sections: Mapping[str, Any]) -> Card:
    section, key = sections["ddim"], _key(sections)
    facts = [
        (distance(key), f"{section['scores'][key]['value']:.1f}"),
        ("of real images", f"{sections['gan']['rows']['real'][key]['value']:.1f}"),
        ("face score", f"{section['scores']['face_score']['value']:.2f}"),
        ("network evaluations for an image", str(section["protocol"]["network_evaluations_per_image"])),
        _trainings(section["trainings"]),
    ]
    return _card("3. DDIM on faces", "3-ddim-on-faces", section["figures"][0], facts)


def _adaptation(sections: Mapping[str, Any]) -> Card:
    section, facts = sections["adaptation"], []
    for name, scenario in section["scenarios"].items():
        adapted = {row: values for row, values in scenario["rows"].items() if values["adapts"]}
        row = max(adapted, key=lambda row: adapted[row]["accuracy"])
        base = scenario["rows"][adapted[row]["gain"]["over"]]["accuracy"]
        label = adapted[row]["label"].split(" + ")[0]
        facts.append((arrow(name), f"{base:.3f} → {adapted[row]['accuracy']:.3f} ({label})"))
    facts.append(_trainings(scenario["rows"][row]["trainings"]))
    maps = [figure for figure in next(iter(section["figures"].values())) if "t-SNE" in figure["caption"]]
    figure = (maps or next(iter(section["figures"].values())))[0]
    return _card("4. Domain adaptation on digits", "4-domain-adaptation-on-digits", figure, facts)


def _diffusion(sections: Mapping[str, Any]) -> Card:
    section = sections["diffusion"]
    read = {name: _value(scores["digit_accuracy"]) for name, scores in section["scores"].items()}
    facts = [(f"digit accuracy, {name}", f"{value:.3f}") for name, value in read.items()]
    facts += [("of real images", f"{_value(sections['judge']['digit_accuracy']):.3f}"), _trainings(section["seeds"])]
    best = max(read, key=lambda name: read[name])
    title = "5. Conditional diffusion on digits"
    return _card(title, "5-conditional-diffusion-on-digits", section["figures"][best][0], facts)


def _value(score: Mapping[str, float]) -> float:
    return score["value"] if "value" in score else score["accuracy"]


def _key(sections: Mapping[str, Any]) -> str:
    key: str = sections["gan"]["protocol"]["extractor"]["score"]
    return key


def _trainings(seeds: Collection[object]) -> tuple[str, str]:
    return "trainings of each", str(len(seeds))


def _card(title: str, anchor: str, figure: Mapping[str, str], facts: list[tuple[str, str]]) -> Card:
    return {"title": title, "anchor": anchor, "picture": figure["link"], "alt": figure["caption"], "facts": facts}
