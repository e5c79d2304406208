"""One MLflow run for each stage, under a parent run for each experiment.

Everything that a run logs is an event, a small JSON object. `dlcv.runtime.mlflow_store` sends it to the server; when the server
is away the same events are appended to `<root>/mlruns-offline/*.jsonl`, and `import_file` sends them later. Nothing
here raises into a training run, apart from errors of the stage itself.

The tag `weights.sha256` belongs to the run that made the weights (`Run.set_tags` at its end) and to no other: it is how
`add_scores` finds the training run. With accelerate, only the main process opens a run.

Environment: `MLFLOW_TRACKING_URI` (default: `<root>/mlflow.db`); `DLCV_TRACKING=off` makes every run do nothing.
"""

from __future__ import annotations

import json
import math
import os
import posixpath
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from dlcv.runtime.errors import UserError
from dlcv.runtime.files import root
from dlcv.runtime.mlflow_store import Event, StoredRun, identity, initialise, line, open_run, redacted, uri, warn
from dlcv.runtime.nested import flatten

__all__ = ["Dataset", "Run", "add_scores", "import_file", "initialise", "run"]

BATCH = 1000  # points that are sent at once: what MLflow takes in one request
FLUSH_SECONDS = 5.0

# Servers that failed in this process: asking each of them again would cost its time-out again.
_away: set[str] = set()


@dataclass(frozen=True)
class Dataset:
    """Data that a run used: its hexadecimal SHA-256, and where it is (a path of the repository or a URL)."""

    name: str
    sha256: str
    source: str


class Run:
    """What a stage logs to. Obtained from `run`; every method is safe when the server is away.

    Args:
        header: describes the run; None makes one that does nothing.
    """

    def __init__(self, header: Event | None) -> None:
        self._sink = _Sink(header or {})
        self._points: list[tuple[str, float, int, int]] = []
        self._flushed = time.time()
        self._nonfinite: dict[str, int] = {}

    @property
    def id(self) -> str | None:
        """Pass it as `resume` to continue this run; None when tracking is off."""
        return self._sink.header.get("id")

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Append one point to each named curve; written in batches. Values that are not finite are left out."""
        self._points += self._finite(values, step)
        if len(self._points) >= BATCH or time.time() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the buffered points now."""
        # A killed run's curve reaches beyond its last checkpoint; the resumed steps are not drawn twice.
        last = self._sink.last_steps
        self._sink.write({"kind": "metrics", "points": [p for p in self._points if p[3] > last.get(p[0], -1)]})
        self._points = []
        self._flushed = time.time()

    def scores(self, values: Mapping[str, float]) -> None:
        """Final scores, each one number. Their names should differ from those of the curves."""
        self._sink.write({"kind": "metrics", "points": self._finite(values, 0)})

    def figure(self, path: Path, folder: str = "figures") -> None:
        """Keep a copy of the file `path` among the run's artifacts, in `folder`; a missing one costs a warning."""
        self._sink.write({"kind": "artifact", "path": str(Path(path).resolve()), "folder": folder})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags that were not known when the run began, `weights.sha256` for example."""
        self._sink.write({"kind": "tags", "values": _strings(tags)})

    def close(self, status: str | None) -> None:
        """Write what is left and end the run; None leaves its status as it is. `run` does this."""
        self.flush()
        if self._nonfinite:
            self.set_tags({"nonfinite": ", ".join(f"{name}@{step}" for name, step in sorted(self._nonfinite.items()))})
        self._sink.write({"kind": "end", "status": status, "time": _now()})

    def _finite(self, values: Mapping[str, float], step: int) -> list[tuple[str, float, int, int]]:
        """Points as MLflow takes them. It would store infinity as 1.797e308, which ruins every axis of the UI."""
        points: list[tuple[str, float, int, int]] = []
        if not self._sink.header:
            return points
        for name, value in values.items():
            if math.isfinite(value):
                points.append((_valid(name), float(value), _now(), step))
            elif name not in self._nonfinite:
                self._nonfinite[name] = step
                warn(f"{name} is {value} at step {step}; MLflow gets finite values only")
        return points


@contextmanager
def run(
    name: str,
    *,
    area: str,
    params: Mapping[str, object],
    tags: Mapping[str, str] = {},
    datasets: Sequence[Dataset] = (),
    resume: str | None = None,
) -> Iterator[Run]:
    """Open the run of one stage: FINISHED on success, FAILED on an exception, KILLED on Ctrl-C.

    A process that is killed outright leaves its run RUNNING in the UI, until `resume` takes it up.

    Args:
        name: the run's name, usually the stage's.
        area: the MLflow experiment, "adaptation" for example.
        params: what the stage was given; nested mappings become dotted names.
        tags: more tags, besides those of DVC and git.
        datasets: what it reads.
        resume: `Run.id` of a killed run, which then goes on. Its parameters stay as they were first logged.
    """
    if os.environ.get("DLCV_TRACKING") == "off":
        yield Run(None)
        return
    origin, group = identity(name)
    header = {"kind": "run", "id": resume, "name": name, "area": area, "group": _valid(group), "start": _now()}
    handle = Run({**header, "tags": _strings({**origin, **tags})})
    try:
        handle._sink.write({"kind": "params", "values": _strings(params)})
        handle._sink.write({"kind": "datasets", "values": [astuple(dataset) for dataset in datasets]})
        yield handle
    except BaseException as error:
        handle.close("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    handle.close("FINISHED")


def add_scores(weights_sha256: str, values: Mapping[str, float], figures: Sequence[Path] = ()) -> None:
    """Add final scores to the newest run tagged `weights.sha256`: one row then holds learning rate and score.

    Without such a run (the weights came from a cache or another machine) it warns and does nothing.

    Args:
        weights_sha256: hexadecimal SHA-256 of the weights that were evaluated.
        values: the scores by name.
        figures: files to keep among the run's artifacts.
    """
    if os.environ.get("DLCV_TRACKING") == "off":
        return
    handle = Run({"kind": "scores", "id": None, "name": f"scores-{weights_sha256[:8]}", "weights": weights_sha256})
    handle.scores(values)
    for path in figures:
        handle.figure(path)
    handle.close(None)


def import_file(path: Path) -> int:
    """Import what was logged while the server was away: one file, or a folder's `*.jsonl`. Repeating it is harmless.

    A file is renamed to `*.imported` when all of it arrived. One without an end (its stage was killed, or still runs)
    is imported as far as it goes and stays, and so do scores whose training run is not there yet.

    Returns:
        How many files were imported, each into its run.

    Raises:
        UserError: no such file, not such a file, or a server that is still away.
    """
    count = 0
    for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
        header, *events = _read(file)
        try:
            stored = open_run(header)
            if stored is None:
                continue
            for event in events:
                if event["kind"] == "artifact":
                    event["path"] = str(file.parent / event["path"])
                stored.send(event)
        except Exception as error:
            raise UserError(f"{file}: MLflow did not take it: {line(error)}; try again later") from error
        count += 1
        if events and events[-1]["kind"] == "end":
            file.rename(file.with_suffix(".imported"))
            shutil.rmtree(file.with_suffix(""), ignore_errors=True)
        else:
            warn(f"{file} has no end; imported as far as it goes and kept")
    return count


class _Sink:
    """Where a run's events go: the server while it answers, then a file; nowhere without a header. Raises nothing."""

    def __init__(self, header: Event) -> None:
        self.header = header
        self.last_steps: dict[str, int] = {}
        self._stored: StoredRun | None = None
        self._file: Path | None = None
        if not header:
            return
        try:
            if uri() in _away:
                raise ConnectionError("it failed earlier in this process")
            self._stored = open_run(header)
            if self._stored and header["id"]:
                self.last_steps = self._stored.take_up(header["tags"])
            header["id"] = self._stored and self._stored.id
        except Exception as error:  # whatever sqlalchemy or requests may raise, training goes on
            self._leave(error)

    def write(self, event: Event) -> None:
        if self._stored:
            try:
                return self._stored.send(event)
            except Exception as error:
                self._leave(error)
        if self._file:
            try:
                self._append(self._file, event)
            except OSError as error:
                warn(f"nothing more is logged: {self._file}: {line(error)}")
                self._file = None

    def _leave(self, error: Exception) -> None:
        """From here on everything goes to a file that `import_file` reads."""
        self._stored = None
        _away.add(uri())
        self.header["id"] = self.header["id"] or f"offline-{uuid.uuid4().hex}"
        name = re.sub(r"[^\w.@-]+", "_", self.header["name"])
        file = root() / "mlruns-offline" / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-{uuid.uuid4().hex[:4]}.jsonl"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._append(file, self.header)
            self._file = file
            then = f"logging to a file, for later: dlcv tracking import {file}"
        except OSError as failure:
            then = f"and no file can be written, so nothing is logged: {line(failure)}"
        warn(f"MLflow at {redacted(uri())} is away: {line(error)}; {then}")

    def _append(self, file: Path, event: Event) -> None:
        if event["kind"] == "artifact":
            if not Path(event["path"]).is_file():
                return warn(f"{event['path']} is missing, and will be so in MLflow")
            copy = file.with_suffix("") / event["folder"] / Path(event["path"]).name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(event["path"], copy)
            event = {**event, "path": str(copy.relative_to(file.parent))}
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(event) + "\n")


def _read(file: Path) -> list[Event]:
    """The events of a file that `_Sink` wrote, the header first."""
    try:
        *lines, _ = file.read_text(encoding="utf-8").split("\n")  # a kill may have cut off the last one
        events = [json.loads(text) for text in lines]
        if events[0]["kind"] in ("run", "scores"):
            return events
    except OSError as error:
        raise UserError(f"{file} cannot be read: {line(error)}") from None
    except (ValueError, LookupError, TypeError):
        pass
    raise UserError(f"{file} is not what dlcv logs while MLflow is away; those files are in mlruns-offline")


def _strings(values: Mapping[str, object]) -> dict[str, str]:
    """Parameters or tags as MLflow takes them: {"dann": {"lr": 0.1}} becomes {"dann.lr": "0.1"}."""
    return {_valid(key): str(value) for key, value in flatten(values).items()}


def _valid(name: str) -> str:
    """`name` as MLflow takes it: "D(G(z))" becomes "D_G_z". It must also be a normal path."""
    allowed = "_".join(part for part in re.split(r"[^\w\-. :/]+", name) if part)
    return posixpath.normpath("/" + allowed)[:251].strip("/") or "_"


def _now() -> int:
    """Milliseconds, as MLflow counts time."""
    return int(time.time() * 1000)
