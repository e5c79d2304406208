"""What is said of the reports' claims: a sentence for each, and none that ranks methods by too few trainings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcv.report import report
from dlcv.report.claims import OBSERVED, compared
from dlcv.runtime.config import load, read_yaml
from dlcv.runtime.files import read_json, write_json
from tests.report.made_faces import make_gan

pytestmark = pytest.mark.slow


RANKS = re.compile(r"\b(ahead|behind|better|worse|beats?|(is|has a) (higher|lower|more|less))\b")


def here(study: Path) -> dict[str, str]:
    """What the page says of each claim, by its function and the arguments: "pair dcgan sngan"."""
    each = [claim for claims in report.gather(load())["claims"].values() for claim in claims]
    return {" ".join([claim["by"], *claim.get("of", ())]): claim["here"] for claim in each}


def test_every_claim_has_a_sentence_and_the_page_prints_it(full: Path) -> None:
    stated = read_yaml(Path(report.__file__).parent / "reference.yaml")["claims"]
    assert {claim["by"] for each in stated.values() for claim in each} == set(OBSERVED)
    said = here(full)
    assert all(sentence.strip() for sentence in said.values())
    report.run(load())
    assert (full / "report/report.html").read_text().count('<div class="claim">') == len(said)


def test_three_trainings_give_a_verdict(full: Path) -> None:
    said = here(full)
    assert "sngan has a lower distance than dcgan, by 3 pairs of trainings: -9.00" in said["pair dcgan sngan"]
    assert (
        "no difference between dcgan-noisy-labels and dcgan is shown by 3 pairs"
        in said["pair dcgan dcgan-noisy-labels"]
    )
    assert "wgan-gp has a higher distance than dcgan-k5" in said["pair dcgan-k5 wgan-gp"]


def test_one_training_gives_none(full: Path, set_params: Callable[[dict[str, Any]], None]) -> None:
    set_params({"gan.seeds": [0]})
    make_gan(full)
    for path in (full / "out/adaptation").glob("*-evaluation/summary.json"):
        scores = read_json(path)
        for row in scores["rows"].values():
            if "gain" in row:
                row["gain"]["seeds"] = {"0": 0.1}
        write_json(path, scores)
    for key, sentence in here(full).items():
        assert not RANKS.search(sentence), (key, sentence)
    assert "nothing can be said about the methods; trainings of each: 1 of the 3" in here(full)["pair dcgan sngan"]


def test_the_scores_of_this_run_are_in_the_sentences(full: Path) -> None:
    said = here(full)
    assert "vae 0.125, dcgan 0.500. No interval is measured" in said["against_gan recall coverage"]
    assert "MSE 0.0212, KL 321 nats" in said["two_losses"] and "1e-05" in said["two_losses"]
    assert "great circle: smallest norm 110.0" in said["slerp"] and "straight line: smallest norm 78.0" in said["slerp"]
    assert "T = 400 and T = 1,000" in said["timesteps context-unet context-unet-t1000"]
    assert "usps → mnistm: paper 0.550 (0.540 to 0.560), alternating 0.550" in said["variants paper alternating"]
    assert "Needs the variants `deep` and `deep-5`" in said["variants deep deep-5"]
    assert "No model of this run swaps labels" in said["label_swapping"]


def test_a_pair_that_is_not_in_the_run_is_not_compared(
    full: Path, set_params: Callable[[dict[str, Any]], None]
) -> None:
    path = full / "out/gan-summary/summary.json"
    scores = read_json(path)
    del scores["pairs"]["report-004"]
    write_json(path, scores)
    set_params({"gan.pairs": {name: load().raw["gan"]["pairs"][name] for name in ("report-000", "report-001")}})
    assert here(full)["pair dcgan sngan"] == "Nothing in this run is about it."


@pytest.mark.parametrize(
    ("low", "trainings", "said"),
    [
        (0.55, 3, "that of a is higher, by 3 trainings of each"),
        (0.45, 3, "no difference is shown by 3 trainings of each"),
        (0.55, 2, "trainings of each: 2 of the 3"),
    ],
)
def test_unpaired_scores_differ_if_their_intervals_do(low: float, trainings: int, said: str) -> None:
    a = {"value": 0.6, "interval": {"low": low, "high": 0.65}}
    b = {"accuracy": 0.4, "interval": {"low": 0.3, "high": 0.5}}
    assert said in compared("a", a, "b", b, trainings, 2)
    assert compared("a", {"value": 0.6}, "b", b, 5, 2).endswith("No interval is measured, so this decides nothing.")
