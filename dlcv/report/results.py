"""Finished studies as JSON in `results/`, and the tables of documents that are rendered from them.

A published study holds what its figures depend on (parameters, hashes of the data, commit, machine, command) and the
scores of every training. A document has its tables between two comments; the first names the study and the table:

    <!-- results: sample gan -->
    ...
    <!-- end -->
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import TemplateNotFound

from dlcv.report.files import read
from dlcv.report.report import environment
from dlcv.report.sections import data, tables
from dlcv.runtime import compute, summaries
from dlcv.runtime.config import Params
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, replacing, write_json
from dlcv.runtime.git import git
from dlcv.runtime.summaries import OUT

RESULTS = Path("results")
BLOCK = re.compile(
    r"(?P<open><!-- results: (?P<study>\S+) (?P<table>\S+) -->\n)(?P<body>.*?)(?P<close><!-- end -->)", re.S
)
# Of each image or group of images, not of a training: too long to publish, and in `out/` for a rerun.
LEFT_OUT = ("left_out", "confusion")


def publish(name: str, params: Params, command: str) -> Path:
    """Write the finished study of this repository to `results/NAME/study.json`.

    Args:
        command: that repeats the study from a clean clone, after `git checkout COMMIT`.

    Returns:
        The file.

    Raises:
        UserError: a name that is no folder, the code has uncommitted changes, or the study is not finished.
    """
    if not re.fullmatch(r"[\w-]+", name):
        raise UserError(f"the name of a study has letters, digits, - and _, not {name!r}")
    if changed := git("status", "--porcelain", "--", "dlcv", "stages", "dvc.yaml"):
        raise UserError(f"{changed.split()[1]} has uncommitted changes; commit them, so that the commit tells the code")
    if not _finished():
        raise UserError("the study is not finished: `dvc status` names stages; run `dvc repro`")
    weights = [read(path) for path in sorted(OUT.rglob("weights.json"))]
    study = {
        "study": name,
        "command": command,
        "commit": git("rev-parse", "HEAD").strip(),
        "machine": {
            "cpu": compute.cpu(),
            "cores": os.cpu_count(),
            **params.raw["compute"],
            "python": platform.python_version(),
            **{package: version(package) for package in ("torch", "numpy")},
        },
        "data": {set_: card["sha256"] for set_, card in data(params.raw).items()},
        "params": params.resolved(),
        "trainings": {
            f"{about['area']}/{about['name']}": {key: about[key] for key in ("parameters", "fingerprint", "sha256")}
            for about in weights
        },
        "scores": {
            str(path.parent.relative_to(OUT)).removesuffix("-evaluation"): _short(evaluated["scores"])
            for path in sorted(OUT.rglob("scores.json"))
            if "scores" in (evaluated := read(path))
        },
        "summary": {name: _short(read(path)) for name, path in summaries.present().items()},
    }
    path = RESULTS / name / "study.json"
    write_json(path, study)
    return path


def render(path: Path) -> bool:
    """Write the tables of the document `path` from the published studies.

    Returns:
        Whether the document has changed.

    Raises:
        UserError: there is no such document, study or table.
    """
    if not path.is_file():
        raise UserError(f"there is no document {path}")
    before = path.read_text(encoding="utf-8")
    after = BLOCK.sub(
        lambda block: f"{block['open']}\n{table(block['study'], block['table'])}\n{block['close']}", before
    )
    if after != before:
        with replacing(path) as temporary:
            temporary.write_text(after, encoding="utf-8")
    return after != before


def table(name: str, kind: str) -> str:
    """A table of the published study `name` as Markdown.

    Raises:
        UserError: no such study or table.
    """
    path = RESULTS / name / "study.json"
    if not path.is_file():
        raise UserError(f"there is no published study {path}; `dlcv publish {name}` writes it")
    return table_of(read_json(path), kind)


def table_of(study: dict[str, Any], kind: str) -> str:
    """The table `kind`, a file in `templates/results/`, of a study.

    Raises:
        UserError: no such table.
    """
    try:
        template = environment().get_template(f"results/{kind}.md.jinja")
    except TemplateNotFound:
        kinds = sorted(file.name.split(".")[0] for file in (Path(__file__).parent / "templates/results").iterdir())
        raise UserError(f"there is no table {kind}; there are {', '.join(kinds)}") from None
    scenarios = {key.split("/")[1]: one for key, one in study["summary"].items() if key.startswith("adaptation/")}
    return template.render(**study, scenarios=scenarios, tables=tables(scenarios)).strip()


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _short(part) for key, part in value.items() if key not in LEFT_OUT}
    return value


def _finished() -> bool:
    return subprocess.run([sys.executable, "-m", "dvc", "status", "--quiet"], check=False).returncode == 0
