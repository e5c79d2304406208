"""requirements.lock: one file for all platforms and Python versions, by environment markers.

    python tests/locks.py --write                          # after a change of pyproject.toml; what is locked stays
    python tests/locks.py --write --upgrade-package NAME   # options of `uv pip compile` may follow
    python tests/locks.py                                  # a dry run for each platform; exit code 1 if one fails

The dry run asks the package index which wheels there are. It downloads and installs none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = ROOT / "pyproject.toml"
LOCK = ROOT / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13")
# As uv calls them. These are the oldest systems that every wheel with compiled code supports: torch's needs glibc 2.28,
# dlib-bin's macOS 14.
PLATFORMS = {"Linux x86-64": "x86_64-manylinux_2_28", "macOS arm64": "aarch64-apple-darwin"}
OLDEST_MACOS = "14.0"
SOURCES = ("antlr4-python3-runtime", "face-recognition-models")  # pure Python, and the index has no wheel
# play: gradio allows only an older pillow, which may draw the street numbers of the source `sample` with other pixels.
# ray: only `dlcv repro --ray` needs it, and its version is that of the cluster.
# system: `make test-system` installs it beside the lock.
UNLOCKED = {"play", "ray", "system"}


def extras() -> list[str]:
    """The extras of pyproject.toml that are locked."""
    return sorted(tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"].keys() - UNLOCKED)


def uv(*words: str) -> subprocess.CompletedProcess[str]:
    """`uv pip WORDS`, in the root of the repository."""
    command = [sys.executable, "-m", "uv", "pip", *words]
    environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def write(lock: Path, *options: str) -> None:
    """Write the lock. The versions in it stay, unless pyproject.toml excludes them or an option asks for others."""
    layout = ["--universal", "--python-version", PYTHONS[0], "--strip-extras", "--no-header", "--generate-hashes"]
    chosen = [word for extra in extras() for word in ("--extra", extra)]
    done = uv("compile", "--quiet", *layout, *chosen, *options, "--output-file", str(lock), PROJECT.name)
    if done.returncode:
        raise SystemExit(done.stderr.strip())


def resolve(platform: str, python: str) -> tuple[int, str]:
    """The number of packages that this platform would install, and what uv says if one of them has no wheel for it."""
    with tempfile.TemporaryDirectory() as target:
        where = ["--python-platform", platform, "--python-version", python, "--target", target]
        wheels = ["--only-binary", ":all:", *(word for name in SOURCES for word in ("--no-binary", name))]
        done = uv("install", "--dry-run", *where, *wheels, "--requirement", str(LOCK))
    installed = sum(line.startswith(" + ") for line in done.stderr.splitlines())
    return installed, done.stderr.strip() if done.returncode else ""


def check() -> int:
    """Print a table of what each platform would install; the exit code."""
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / LOCK.name
        shutil.copy(LOCK, again)
        write(again)
        if again.read_text() != LOCK.read_text():
            problems.append(f"{LOCK.name} does not fit {PROJECT.name}; run `make lock`")
    print("| packages on |", " | ".join(f"Python {python}" for python in PYTHONS), "|")
    print("| --- |", " | ".join("---" for _ in PYTHONS), "|")
    for name, platform in PLATFORMS.items():
        row = []
        for python in PYTHONS:
            installed, problem = resolve(platform, python)
            row.append("none" if problem else str(installed))
            if problem:
                problems.append(f"{name}, Python {python}: {problem}")
        print(f"| {name} |", " | ".join(row), "|")
    print(*problems, sep="\n", end="\n" if problems else "")
    return int(bool(problems))


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"]:
        raise SystemExit(check())
    write(LOCK, *sys.argv[2:])
