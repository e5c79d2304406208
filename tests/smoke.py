"""The scores of the profile `smoke`, which are the same on every x86-64 CPU with AVX2, against the committed ones.

    dlcv profile smoke && dlcv repro && python tests/smoke.py --write   # after a change that is meant to change them
    python tests/smoke.py                                               # exit code 1 where one differs; .ci/run runs it

It reads the summaries in `out/`. The committed scores are those of the versions in requirements.lock.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dlcv.runtime.verify import rerun

FILE = Path(__file__).with_name("smoke_scores.json")


def differences(expected: dict[str, float], found: dict[str, float]) -> list[str]:
    """One line for each score that is not the same to the last bit."""
    names = sorted(expected.keys() | found.keys())
    return [
        f"{name}: {expected.get(name)!r} is committed, not {found.get(name)!r}"
        for name in names
        if expected.get(name) != found.get(name)
    ]


def main(write: bool) -> int:
    """The exit code."""
    found = {name: score.value for name, score in rerun().items()}
    if write:
        FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        print(f"{len(found)} scores written to {FILE}")
        return 0
    if not FILE.is_file():
        print(f"{FILE} is missing; write it with `python tests/smoke.py --write`")
        return 1
    different = differences(json.loads(FILE.read_text()), found)
    print("\n".join(different) or f"smoke: {len(found)} scores have the committed bits")
    return int(bool(different))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:] == ["--write"]))
