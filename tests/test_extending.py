"""docs/extending.md: its code blocks, applied to a copy of the repository, give a study that runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parent.parent
PAGE = REPOSITORY / "docs" / "extending.md"
# An HTML comment above a code block says what to do with it:
#   write: FILE                  the block is the file
#   before: FILE: LINE           insert the block before the only line that begins so; after, replace: likewise
#   run                          commands
BLOCK = re.compile(r"<!-- (?P<how>[a-z]+)(?:: (?P<where>.*?))? -->\n```\w+\n(?P<code>.*?)```\n", re.DOTALL)
# Every kind of stage once, beside the two new trainings.
SMALL = {
    "gan.models": "[dcgan, lsgan]",
    "gan.pairs": "{}",
    "diffusion.models": "[context-unet]",
    "adaptation.scenarios": "{usps-mnistm: {source: usps, target: mnistm}}",
    "adaptation.methods": "{dann: [usps-mnistm], gta: [], selftraining: [], coral: [usps-mnistm]}",
    "adaptation.baselines": "{selftraining: []}",
    "adaptation.comparison.updates": "[]",
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files of the repository that git knows or would take, under git in a folder of their own."""
    listed = git(REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in listed:
        # Without results: those of models that the study below leaves out would be refused as leftovers.
        if (REPOSITORY / name).is_file() and not name.startswith("metrics/") and not name.endswith("dvc.lock"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, tmp_path / name)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--message", "copy")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def run(folder: Path, *words: str) -> str:
    """A command in the copy, by this Python, without tracking."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    environment |= {"DLCV_TRACKING": "off", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    answer = subprocess.run([sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    return answer.stdout


def apply(text: str, folder: Path) -> None:
    """Do with every code block of `text` what the comment above it says."""
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```") // 2, "a code block has no comment that says where it belongs"
    for block in blocks:
        how, code = block["how"], block["code"]
        if how == "run":
            for command in code.splitlines():
                assert command.startswith("dlcv ")
                run(folder, *command.split())
            continue
        name, _, anchor = block["where"].partition(": ")
        path = folder / name
        if how == "write":
            assert not path.exists()
            path.write_text(code)
            continue
        lines = path.read_text().splitlines(keepends=True)
        (number,) = [number for number, line in enumerate(lines) if line.startswith(anchor)]
        start, end = {"before": (number, number), "after": (number + 1, number + 1), "replace": (number, number + 1)}[
            how
        ]
        path.write_text("".join([*lines[:start], code, *lines[end:]]))


def touched(folder: Path) -> set[str]:
    """The files that differ from the copy's commit, without documents and tests."""
    changed = git(folder, "status", "--porcelain", "--untracked-files=all").splitlines()
    return {line[3:] for line in changed if not line[3:].startswith(("docs/", "tests/"))}


@pytest.mark.slow
def test_the_page_adds_a_gan_and_a_method(copy: Path) -> None:
    gan, method = PAGE.read_text().split("\n## ")[1:]
    apply(gan, copy)
    assert touched(copy) == {"dlcv/gan/losses.py", "params.yaml", "stages/gan/dvc.yaml"}
    git(copy, "add", "--all")
    git(copy, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--message", "lsgan")
    apply(method, copy)
    assert touched(copy) == {
        "dlcv/adaptation/config.py",
        "dlcv/adaptation/methods/coral.py",
        "params.yaml",
        "stages/adaptation/dvc.yaml",
    }
    assert "loss: least-squares" in run(copy, "dlcv", "params", "show", "gan.lsgan")
    run(copy, "ruff", "check", "dlcv")
    run(copy, "ruff", "format", "--check", "dlcv")


@pytest.mark.slow
def test_the_page_ends_in_the_report(copy: Path) -> None:
    apply(PAGE.read_text(), copy)
    # The tests that hold pipeline, rooms and what ships know of neither.
    run(copy, "pytest", "-q", "tests/test_pipeline.py", "tests/test_rooms.py", "tests/runtime/test_config.py")
    run(copy, "dlcv", "profile", "smoke")
    for key, value in SMALL.items():
        set_value(copy / "params.yaml", key, value)
    run(copy, "dlcv", "repro")
    report = (copy / "report" / "report.md").read_text()
    assert re.search(r"\| lsgan \| \d", report)
    assert re.search(r"\| Deep CORAL \| \w+ \| \*\*0\.\d+", report)


def set_value(path: Path, key: str, value: str) -> None:
    """Set a dotted key of a YAML file to a value that is written in YAML."""
    yaml = YAML()
    document = yaml.load(path.read_text())
    *parents, last = key.split(".")
    node = document
    for parent in parents:
        node = node[parent]
    node[last] = YAML(typ="safe").load(value)
    with open(path, "w") as file:
        yaml.dump(document, file)
