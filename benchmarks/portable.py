"""What portable arithmetic costs: the time of a step of every training, portable against native, on one thread.

    python benchmarks/portable.py [STEPS] [ROUNDS] [TRAINING...]

Runs `benchmarks/steps.py` in turns with both kinds of arithmetic, ROUNDS times (3), and prints for each training the
least median of both and their ratio.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from dlcv.engine import environment

STEPS = Path(__file__).with_name("steps.py")
LINE = re.compile(r"^(?P<training>.*?) +(?P<milliseconds>[\d.]+) ms ")


def measure(portable: bool, words: list[str]) -> dict[str, float]:
    """Milliseconds of a step by training, from a process of its own."""
    before = dict(os.environ)
    for name in environment.VARIABLES:
        os.environ.pop(name, None)
    environment.prepare(portable, threads=1)
    variables = {**os.environ, "PYTHONPATH": str(STEPS.parent.parent)}
    os.environ.clear()
    os.environ.update(before)
    command = [sys.executable, str(STEPS), *words]
    printed = subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout
    found = [match for line in printed.splitlines() if (match := LINE.match(line))]
    return {match["training"]: float(match["milliseconds"]) for match in found}


def main() -> None:
    """Print the table."""
    steps, rounds, *only = [*sys.argv[1:], *("20", "3")[len(sys.argv) - 1 :]]
    least: dict[bool, dict[str, float]] = {True: {}, False: {}}
    for _ in range(int(rounds)):
        for portable, known in least.items():
            for training, value in measure(portable, [steps, *only]).items():
                known[training] = min(value, known.get(training, value))
    print("| training | native, ms | portable, ms | ratio |\n| --- | --- | --- | --- |")
    for training, native in least[False].items():
        portable_ms = least[True][training]
        print(f"| {training} | {native:.1f} | {portable_ms:.1f} | {portable_ms / native:.2f} |")


if __name__ == "__main__":
    main()
