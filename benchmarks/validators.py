"""The validators over all scenarios, from the finished evaluations.

    python benchmarks/validators.py [FOLDER]

Reads what the stages `evaluate` have stored in `out/adaptation` (or FOLDER), computes every validator again, and prints
a Markdown table: the mean of Spearman's correlation over the scenarios that have one, the number of these scenarios,
and the mean and the largest regret over all scenarios. No network is run. docs/validators.md describes the validators.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import fmean

from dlcv.adaptation.benchmark import rank, read
from dlcv.adaptation.config import OUT
from dlcv.adaptation.validators import VALIDATORS
from dlcv.report.words import header, row


def main(folder: Path = OUT) -> None:
    ranked = {}
    for stored in sorted(folder.glob("*-evaluation/seen")):
        ranked[stored.parent.name.removesuffix("-evaluation")] = rank(*read(stored))
    if not ranked:
        sys.exit(f"{folder} has no evaluation; run `dvc repro stages/adaptation/dvc.yaml`")
    print("Scenarios (candidates):", ", ".join(f"{name} ({one['candidates']})" for name, one in ranked.items()), "\n")
    print(header("validator", "mean correlation", "scenarios with one", "mean regret", "largest regret"))
    for name in VALIDATORS:
        scores = [one["scores"][name] for one in ranked.values()]
        known = [score["spearman"] for score in scores if score["spearman"] is not None]
        regrets = [score["regret"] for score in scores]
        mean = f"{fmean(known):.2f}" if known else None
        print(row(name, mean, len(known), f"{fmean(regrets):.4f}", f"{max(regrets):.4f}"))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
