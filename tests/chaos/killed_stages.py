"""A stage of each kind, stopped at random moments and run again: it gives the bits of an undisturbed run.

    python -m tests.chaos.killed_stages [--kills 20] [--seed 0] [KIND ...]

A kind is a stage as in the dvc.yaml files, such as gan/train. Each stage of the profile `smoke`, without the seeds and
models that repeat it, is a forked process that runs `dlcv` as DVC does; its outputs are removed before it starts. The
first of each kind is killed by SIGKILL after a random part of the time that it needs, `--kills` times, then stopped by
SIGTERM and by SIGINT. After each of these it runs again. In the end, what all trainings have logged is imported.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from dlcv.engine import environment

environment.prepare(portable=True, threads=1)

from ruamel.yaml import YAML  # noqa: E402

from dlcv.__main__ import main as command  # noqa: E402
from dlcv.runtime import tracking  # noqa: E402
from dlcv.runtime.editing import apply_profile  # noqa: E402
from dlcv.runtime.signals import interrupt_on_sigterm  # noqa: E402
from tests.test_pipeline import ENTRIES  # noqa: E402

REPOSITORY = Path(__file__).parent.parent.parent
# One training of each kind and area is enough.
FEW = {
    "gan.models": ["dcgan"],
    "gan.pairs": {},
    "diffusion.models": ["context-unet"],
    "adaptation.comparison.networks": [],
    "adaptation.comparison.baselines": [],
}


@dataclass(frozen=True)
class Stage:
    """A stage of DVC: its kind, `gan/train` for example, its command, and the paths of its outputs."""

    kind: str
    words: list[str]
    outs: list[Path]

    def start(self) -> int:
        """Remove its outputs, as DVC does, and run it in a process of its own; returns the number of the process."""
        for out in self.outs:
            shutil.rmtree(out) if out.is_dir() else out.unlink(missing_ok=True)
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.argv = ["dlcv", *self.words]
            command()
        except SystemExit as end:
            code = int(end.code or 0)
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)

    def run(self) -> float:
        """Run it undisturbed; returns the seconds."""
        start = time.monotonic()
        code = ended(self.start())
        assert code == 0, f"{self.kind}: exit code {code}: {Path('log').read_text()[-2000:]}"
        return time.monotonic() - start

    def outputs(self) -> dict[str, str]:
        """SHA-256 of every file that it has made."""
        found = [file for out in self.outs for file in ([out] if out.is_file() else sorted(out.rglob("*")))]
        return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in found if file.is_file()}


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stages(kinds: list[str]) -> Iterator[Stage]:
    """The stages of `kinds`, by default all, and what they need, in an order in which they can run."""
    from dvc.repo import Repo
    from networkx import descendants, topological_sort

    with Repo() as repo:
        graph = repo.index.graph
        asked = [stage for stage in graph if not kinds or kind(stage) in kinds]
        needed = {*asked, *(other for stage in asked for other in descendants(graph, stage))}
        for stage in reversed(list(topological_sort(graph))):
            if stage in needed:
                words = shlex.split(stage.cmd)[3:]  # without `python -m dlcv`
                outs = [Path(out.fs_path).relative_to(repo.root_dir) for out in stage.outs]
                yield Stage(kind(stage), words, outs)


def kind(stage: Any) -> str:
    """`gan/train` for the stage `stages/gan/dvc.yaml:train@dcgan-0`."""
    return str(stage.addressing.split("@")[0].removeprefix("stages/").replace("/dvc.yaml:", "/"))


def make_study() -> None:
    """The dvc.yaml files and few, small models, in the working directory."""
    for name in ("dvc.yaml", "params.yaml", "profiles", "stages"):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, name)
    apply_profile("smoke")
    yaml = YAML()
    document: Any = yaml.load(Path("params.yaml").read_text())
    for key, value in FEW.items():
        *parents, last = key.split(".")
        node = document
        for parent in parents:
            node = node[parent]
        node[last] = value
    with open("params.yaml", "w") as file:
        yaml.dump(document, file)
    from dvc.repo import Repo

    Repo.init(no_scm=True).close()


def left() -> list[str]:
    """Temporary files and checkpoints that are there."""
    hidden = [path for top in ("out", "data", "metrics", "report") for path in Path(top).rglob(".*")]
    kept = [path for path in Path(".checkpoints").rglob("*") if path.is_file() and path.suffix != ".lock"]
    return [str(path) for path in (*hidden, *kept)]


def disturbed(stage: Stage, number: int, seconds: float) -> str:
    """Stop `stage` after `seconds`, run it again, and say what is wrong; empty if nothing is.

    SIGKILL may leave temporary files until the stage runs again, the other signals may not.
    """
    expected = stage.outputs()
    child = stage.start()
    time.sleep(seconds)
    os.kill(child, number)
    code = ended(child)
    if code == 0:  # the signal came when all was done
        return "" if stage.outputs() == expected else "another output at its end"
    if number == signal.SIGKILL:
        wrong = "" if code == -number else f"exit code {code}"
    else:
        said = Path("log").read_text().splitlines()
        clear = code == 130 and said[-1:] == ["dlcv: stopped; run the same command again to go on"]
        hidden = [path for path in left() if not path.startswith(".checkpoints")]
        wrong = "" if clear and not hidden else f"exit code {code}, {hidden}, {said[-3:]}"
    stage.run()
    if stage.outputs() != expected:
        wrong += " another output"
    return f"{wrong} {left() or ''}".strip()


def tracked() -> str:
    """Import what was logged; what is wrong with the runs, empty if nothing is."""
    from mlflow import MlflowClient

    if not tracking.offline().is_dir():
        return ""  # a stage of data logs nothing
    for _ in range(2):  # the file of a killed stage is done when its run has ended
        tracking.import_file(tracking.offline())
    client = MlflowClient(tracking.uri())
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, max_results=50_000)
    wrong = [f"{run.info.run_name} is {run.info.status}" for run in runs if run.info.status == "RUNNING"]
    wrong += [f"{file} is left" for file in tracking.offline().glob("*.jsonl")]
    for run in runs:
        for name in run.data.metrics:
            steps = [point.step for point in client.get_metric_history(run.info.run_id, name)]
            if len(steps) != len(set(steps)) and run.data.tags.get("fingerprint"):
                wrong.append(f"{run.info.run_name} has points of {name} twice")
    print(f"tracking: {len(runs)} runs, {len(wrong)} wrong {wrong or ''}".rstrip())
    return "; ".join(wrong)


def main() -> int:
    """Print a line for each kind; exit code 1 if a stop changed or left something."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    for name in ("DVC_ROOT", "DVC_STAGE", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)
    os.environ["DLCV_TRACKING"] = tracking.LATER
    for name in asked.kinds or ENTRIES:
        for module in ENTRIES[name]:
            import_module(module)  # once, before the forks
    interrupt_on_sigterm()  # the forks have it from their first instruction on
    os.chdir(tempfile.mkdtemp())
    make_study()
    seen: set[str] = set()
    failed = False
    for stage in stages(asked.kinds):
        seconds = stage.run()
        if stage.kind in seen or (asked.kinds and stage.kind not in asked.kinds):
            continue
        seen.add(stage.kind)
        signals = [signal.SIGKILL] * asked.kills + [signal.SIGTERM, signal.SIGINT]
        said = [(number.name, disturbed(stage, number, chance.random() * seconds)) for number in signals]
        wrong = [f"{name}: {problem}" for name, problem in said if problem]
        failed |= bool(wrong)
        print(f"{stage.kind}: {len(signals)} stops, {len(wrong)} wrong {wrong or ''}".rstrip(), flush=True)
    failed |= bool(tracked())
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
