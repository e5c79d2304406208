"""One MLflow run for each training, to which its evaluation adds the final scores.

Everything that a run logs is an event, a small JSON object. `dlcv.runtime.mlflow_store` sends it to the server. If the
server is away, events are appended to `<root>/mlruns-offline/*.jsonl`, and `import_file` sends them later. A failure of
tracking never stops a stage, and a training loop never waits for the server: a thread sends its points.

The run of a training has the tag `weights.sha256`, set at its end: `add_scores` finds it by this tag.

Environment: `MLFLOW_TRACKING_URI` (default: `<root>/mlflow.db`). `DLCV_TRACKING=off` switches tracking off.
`DLCV_TRACKING=later` writes the file at once: `dlcv repro` imports the files of its stages, so that no stage spends
seconds on the import of mlflow.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import posixpath
import re
import shutil
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path

from dlcv.runtime import compute
from dlcv.runtime.errors import UserError
from dlcv.runtime.files import read_json, root, write_json
from dlcv.runtime.mlflow_store import (
    Event,
    StoredRun,
    identity,
    import_lock,
    initialise,
    line,
    open_run,
    redacted,
    uri,
    warn,
)
from dlcv.runtime.nested import flatten

__all__ = ["Dataset", "Run", "Training", "add_scores", "import_file", "initialise", "run"]

BATCH = 1000  # points that are sent at once; the most that MLflow accepts in one request
FLUSH_SECONDS = 5.0
LATER = "later"  # a value of DLCV_TRACKING
EVENTS = "mlruns-offline"  # the folder with files of events for `import_file`
AWAY = "away.json"  # in it: the addresses of the servers that failed, and when

# A server that failed is left alone for a while, by other processes too: each try may wait for the time-out.
PAUSE_SECONDS = 300.0


def offline() -> Path:
    """The folder with files of events for `import_file`."""
    return root() / EVENTS


def _away_file() -> Path:
    """The addresses of the servers that failed, and when."""
    return offline() / AWAY


def _failed_at() -> dict[str, float]:
    try:
        found = read_json(_away_file())
        return {str(server): float(at) for server, at in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _is_away() -> bool:
    """Whether the server failed within the last `PAUSE_SECONDS`, in any process of this repository."""
    return 0 <= time.time() - _failed_at().get(redacted(uri()), -PAUSE_SECONDS) < PAUSE_SECONDS


def _note_failure() -> None:
    with contextlib.suppress(OSError, UserError):  # the next process tries again
        write_json(_away_file(), {**_failed_at(), redacted(uri()): int(time.time())})


@dataclass(frozen=True)
class Dataset:
    """Data that a run used: name, hexadecimal SHA-256, and source (a path in the repository or a URL)."""

    name: str
    sha256: str
    source: str


@dataclass(frozen=True)
class Training:
    """A training that is evaluated: MLflow experiment, name, hexadecimal SHA-256 of the weights, parameters."""

    area: str
    name: str
    sha256: str
    params: Mapping[str, object]


class Run:
    """A run to which a stage logs, made by `run`. No method raises if the server is away.

    Args:
        header: describes the run; None for a run that does nothing.
        resumed: whether the header has the id of a killed run.
    """

    def __init__(self, header: Event | None, resumed: bool = False) -> None:
        self._sink = _Sink(header or {}, resumed)
        self._points: deque[tuple[str, float, int, int]] = deque()
        self._nonfinite: dict[str, int] = {}
        self._sending = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._send_points, daemon=True)
        if header:
            self._thread.start()

    @property
    def id(self) -> str | None:
        """The id to pass as `resume` to continue this run; None if tracking is off."""
        return self._sink.header.get("id")

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Append one point to each named curve, without values that are not finite. A thread sends the points."""
        self._points.extend(self._finite(values, step))

    def flush(self) -> None:
        """Send the buffered points now, in batches."""
        # The curve of a killed run goes beyond its last checkpoint; the repeated steps are not sent again.
        last = self._sink.last_steps
        with self._sending:
            while self._points:
                batch = [self._points.popleft() for _ in range(min(BATCH, len(self._points)))]
                self._sink.write({"kind": "metrics", "points": [p for p in batch if p[3] > last.get(p[0], -1)]})

    def scores(self, values: Mapping[str, float]) -> None:
        """Log final scores. Their names must differ from those of the curves."""
        self._send({"kind": "metrics", "points": self._finite(values, 0)})

    def figure(self, path: Path, folder: str = "figures") -> None:
        """Copy the file `path` into the folder `folder` of the run's artifacts. A missing file gives a warning."""
        self._send({"kind": "artifact", "path": str(Path(path).resolve()), "folder": folder})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags that were not known at the start of the run, `weights.sha256` for example."""
        self._send({"kind": "tags", "values": _strings(tags)})

    def close(self, status: str | None) -> None:
        """Send the buffered points and end the run with `status`; None does not change its status. `run` calls this."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()
        if self._nonfinite:
            self.set_tags({"nonfinite": ", ".join(f"{name}@{step}" for name, step in sorted(self._nonfinite.items()))})
        self._send({"kind": "end", "status": status, "time": _now()})

    def _send(self, event: Event) -> None:
        with self._sending:
            self._sink.write(event)

    def _send_points(self) -> None:
        """Send the buffered points every `FLUSH_SECONDS`, in a thread: a loop that sends would wait for the server."""
        while not self._end.wait(FLUSH_SECONDS):
            self.flush()

    def _finite(self, values: Mapping[str, float], step: int) -> list[tuple[str, float, int, int]]:
        """The finite values as points. MLflow would store infinity as 1.797e308, which ruins the axes of the UI."""
        points: list[tuple[str, float, int, int]] = []
        if not self._sink.header:
            return points
        for name, value in values.items():
            if math.isfinite(value):
                points.append((_valid(name), float(value), _now(), step))
            elif name not in self._nonfinite:
                self._nonfinite[name] = step
                warn(f"{name} is {value} at step {step}; MLflow gets only finite values")
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
    enabled: bool = True,
) -> Iterator[Run]:
    """Open a run. Its status becomes FINISHED on success, FAILED on an exception, KILLED on Ctrl-C.

    If the process itself is killed, the status stays RUNNING until the run is resumed.

    Args:
        name: of the training, "sngan-0" for example; the run is then called "sngan" and has the tag `seed`.
        area: the MLflow experiment, "adaptation" for example.
        params: the parameters of the stage; nested mappings get dotted names.
        tags: more tags, in addition to those of DVC, git, the CPU and `compute`.
        datasets: the data that the stage reads.
        resume: `Run.id` of a killed run to continue. Its parameters keep the values that were logged first.
        enabled: False for a run that does nothing: of several processes, only the main one opens a run.
    """
    if not enabled or os.environ.get("DLCV_TRACKING") == "off":
        yield Run(None)
        return
    machine = {"cpu": compute.cpu(), "compute": compute.settings()}
    header = {"kind": "run", "id": resume or _new_id(), "name": name, "area": area, "start": _now()}
    handle = Run({**header, "tags": _strings({**identity(name), **machine, **tags})}, resume is not None)
    try:
        handle._send({"kind": "params", "values": _strings(params)})
        handle._send({"kind": "datasets", "values": [astuple(dataset) for dataset in datasets]})
        yield handle
    except BaseException as error:
        handle.close("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    handle.close("FINISHED")


def add_scores(
    training: Training,
    values: Mapping[str, float],
    figures: Sequence[Path] = (),
    curve: Sequence[Mapping[str, float]] = (),
) -> None:
    """Add final scores to the newest run with the weights of `training`: its row then has parameters and scores.

    If there is no such run (the weights are from a cache or another machine), one is created, with the parameters.

    Args:
        values: scores by name.
        figures: files to copy into the artifacts of the run.
        curve: scores over the steps of the training; each row has a `step`.
    """
    if os.environ.get("DLCV_TRACKING") == "off":
        return
    handle = Run(scores_header(training))
    for row in curve:
        handle.log({key: value for key, value in row.items() if key != "step"}, int(row["step"]))
    handle.scores(values)
    for path in figures:
        handle.figure(path)
    handle.close(None)


def scores_header(training: Training) -> Event:
    """The header of events that add something to the run of a training."""
    return {
        "kind": "scores",
        "id": _new_id(),
        "name": training.name,
        "area": training.area,
        "start": _now(),
        "tags": _strings({**identity(training.name), "weights.sha256": training.sha256}),
        "params": _strings(training.params),
        "weights": training.sha256,
    }


def import_file(path: Path, running: bool = False) -> int:
    """Import what was logged while the server was away: a file, or all `*.jsonl` of a folder. May be repeated.

    A file is renamed to `*.imported` once all of it is imported. A file without an end (its stage was killed, or is
    still running) is imported up to its last event, and kept until its run has ended. Scores wait for the run of their
    training. In a folder, a file of another kind gives a warning. Imports that start together take turns.

    Args:
        path: the file or folder.
        running: whether stages still run, so that a file without an end needs no warning.

    Returns:
        The number of imported files.

    Raises:
        UserError: no such file, a file of another kind, or a server that is still away.
    """
    if not path.is_dir():
        _read(path)  # a wrong path leaves no lock
    with import_lock():
        count = 0
        for file in sorted(path.glob("*.jsonl")) if path.is_dir() else [path]:
            try:
                count += _import(file, running)
            except NoEvents as error:
                if not path.is_dir():
                    raise
                warn(f"{error}; it is kept")
        if count:
            _away_file().unlink(missing_ok=True)  # the server is back
        return count


class NoEvents(UserError):
    """A file that `_Sink` did not write, or whose first event is cut off."""


def _import(file: Path, running: bool) -> int:
    """Import one file; 0 if its scores wait for their run, otherwise 1. Arguments and errors as of `import_file`."""
    header, *events = _read(file)
    copies = file.with_suffix("").resolve()
    try:
        stored = open_run(header, late=True, quiet=running)
        if stored is None:
            return 0
        known = stored.points()  # a stage that was killed and resumed has logged some steps twice
        for event in events:
            if event["kind"] == "artifact":
                source = (file.parent / event["path"]).resolve()
                if not source.is_relative_to(copies):
                    warn(f"{file} names the artifact {event['path']}, which is not in {copies.name}/; it is left out")
                    continue
                event = {**event, "path": str(source)}
            elif event["kind"] == "metrics":
                points = [point for point in event["points"] if (point[0], point[3]) not in known]
                known |= {(name, step) for name, _, _, step in points}
                event = {**event, "points": points}
            stored.send(event)
        # A killed stage writes no end; its run ends by another file, when the stage is resumed.
        times = [point[2] for event in events if event["kind"] == "metrics" for point in event["points"]]
        last = max([header["start"], *times])
        ended = (bool(events) and events[-1]["kind"] == "end") or stored.ended_since(last)
    except Exception as error:
        raise UserError(f"{file}: MLflow did not accept it: {line(error)}; try again later") from error
    if ended:
        file.rename(file.with_suffix(".imported"))
        shutil.rmtree(file.with_suffix(""), ignore_errors=True)
    elif not running:
        warn(f"{file} has no end; imported up to its last event, and kept")
    return 1


class _Sink:
    """Sends events to the server until it fails, then to a file. Does nothing without a header. Raises nothing."""

    def __init__(self, header: Event, resumed: bool) -> None:
        self.header = header
        self.last_steps: dict[str, int] = {}
        self._stored: StoredRun | None = None
        self._file: Path | None = None
        if not header:
            return
        if os.environ.get("DLCV_TRACKING") == LATER:
            if failure := self._open_file():
                warn(f"no file can be written, so nothing is logged: {line(failure)}")
            return
        try:
            if _is_away():
                raise ConnectionError(f"it failed less than {PAUSE_SECONDS / 60:.0f} minutes ago")
            self._stored = open_run(header)
            assert self._stored is not None  # only an import waits
            if resumed:
                self.last_steps = self._stored.take_up(header["tags"])
            header["id"] = self._stored.id
        except Exception as error:  # of sqlalchemy or requests, for example: the stage goes on without a server
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
                warn(f"nothing more is logged, because {self._file} cannot be written: {line(error)}")
                self._file = None

    def _leave(self, error: Exception) -> None:
        """Send all further events to a file for `import_file`."""
        self._stored = None
        if not _is_away():
            _note_failure()
        if failure := self._open_file():
            then = f"no file can be written either, so nothing is logged: {line(failure)}"
        else:
            then = f"logging to a file; later run: dlcv tracking import {self._file}"
        warn(f"MLflow at {redacted(uri())} is away: {line(error)}; {then}")

    def _open_file(self) -> OSError | None:
        """Begin a file of events; the error if there can be none."""
        name = re.sub(r"[^\w.@-]+", "_", self.header["name"])
        # To the microsecond: an import takes the files in this order, a training before its scores.
        file = offline() / f"{datetime.now():%Y%m%d-%H%M%S-%f}-{name}-{uuid.uuid4().hex[:4]}.jsonl"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._append(file, self.header)
        except OSError as error:
            return error
        self._file = file
        return None

    def _append(self, file: Path, event: Event) -> None:
        if event["kind"] == "artifact":
            if not Path(event["path"]).is_file():
                return warn(f"{event['path']} is missing, so it is not logged")
            copy = file.with_suffix("") / event["folder"] / Path(event["path"]).name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(event["path"], copy)
            event = {**event, "path": str(copy.relative_to(file.parent))}
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(event) + "\n")


def _read(file: Path) -> list[Event]:
    """The events of a file that `_Sink` wrote; the first one is the header."""
    try:
        *lines, _ = file.read_text(encoding="utf-8").split("\n")  # the last line may be cut off
        events = [json.loads(text) for text in lines]
        if events[0]["kind"] in ("run", "scores") and all(isinstance(event["kind"], str) for event in events):
            return events
    except OSError as error:
        raise UserError(f"{file} cannot be read: {line(error)}") from None
    except (ValueError, LookupError, TypeError):
        pass
    raise NoEvents(f"{file} is not a file of events; dlcv writes those into mlruns-offline")


def _new_id() -> str:
    """An id for a run that MLflow has not made yet. If its answer is lost, the run that it made is found by this id."""
    return f"new-{uuid.uuid4().hex}"


def _strings(values: Mapping[str, object]) -> dict[str, str]:
    """Parameters or tags in MLflow's form: {"dann": {"lambda": 0.1}} becomes {"dann.lambda": "0.1"}."""
    return {_valid(key): str(value) for key, value in flatten(values).items()}


def _valid(name: str) -> str:
    """`name` in MLflow's form: "D(G(z))" becomes "D_G_z". It also has to be a normal path."""
    allowed = "_".join(part for part in re.split(r"[^\w\-. :/]+", name) if part)
    return posixpath.normpath("/" + allowed)[:251].strip("/") or "_"


def _now() -> int:
    """The time in milliseconds, MLflow's unit."""
    return int(time.time() * 1000)
