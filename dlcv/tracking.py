"""One MLflow run for each stage, under a parent run for each experiment; the only module that imports mlflow.

Everything that a run logs is an event, a small JSON object. `_apply` sends an event to the server; when the server is
away the same events are appended to `<root>/mlruns-offline/*.jsonl`, and `import_file` applies them later. Nothing here
raises into a training run, apart from errors of the stage itself.

The tag `weights.sha256` belongs to the run that made the weights (`Run.set_tags` at its end) and to no other: it is how
`add_scores` finds the training run. With accelerate, only the main process opens a run.

Environment: `MLFLOW_TRACKING_URI` (default: `<root>/mlflow.db`); `DLCV_TRACKING=off` makes every run do nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import posixpath
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from dlcv.errors import UserError
from dlcv.files import replacing, root

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

Event = dict[str, Any]

BATCH = 1000  # points in one log_batch: MLflow's own limit
FLUSH_SECONDS = 5.0
KEEP_BYTES = 32 * 2**20  # a larger artifact is not copied while the server is away: it is a DVC output anyway
LOCK_SECONDS = 120.0

# Set before mlflow is imported, and only where the user has not: MLflow's own defaults retry for minutes.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # its errors reach us as exceptions; its tracebacks would only repeat them
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}

# Servers that failed in this process: asking each of them again would cost its time-out again.
_away: set[str] = set()


@dataclass(frozen=True)
class Dataset:
    """Data that a run used: its hexadecimal SHA-256, and where it is (a path of the repository or a URL)."""

    name: str
    sha256: str
    source: str


class Run:
    """What a stage logs to. Obtained from `run`; every method is safe when the server is away."""

    def __init__(self, sink: _Sink | None) -> None:
        self._sink = sink
        self._points: list[tuple[str, float, int, int]] = []
        self._flushed = time.time()
        self._nonfinite: dict[str, int] = {}

    @property
    def id(self) -> str | None:
        """Pass it as `resume` to continue this run; None when tracking is off."""
        return self._sink.id if self._sink else None

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Append one point to each named curve; written in batches. Values that are not finite are left out."""
        if self._sink is None:
            return
        now = time.time()
        self._points += [(name, float(value), int(now * 1000), step) for name, value in values.items()]
        if len(self._points) >= BATCH or now - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the buffered points now."""
        if self._sink is None:
            return
        last = self._sink.last_steps
        # A killed run's curve reaches beyond its last checkpoint; the resumed steps are not drawn twice.
        self._send([point for point in self._points if point[3] > last.get(_valid(point[0]), -1)])
        self._points = []
        self._flushed = time.time()

    def scores(self, values: Mapping[str, float]) -> None:
        """Final scores, each one number. Their names should differ from those of the curves."""
        now = int(time.time() * 1000)
        self._send([(name, float(value), now, 0) for name, value in values.items()])

    def figure(self, path: Path, folder: str = "figures") -> None:
        """Keep a copy of the file `path` among the run's artifacts."""
        if self._sink is not None:
            self._sink.write({"kind": "artifact", "path": str(Path(path).resolve()), "folder": folder})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags that were not known when the run began, `weights.sha256` for example."""
        if self._sink is not None:
            self._sink.write({"kind": "tags", "values": {_valid(key): str(value) for key, value in tags.items()}})

    def close(self, status: str | None) -> None:
        """Write what is left and end the run; None leaves its status as it is. `run` does this."""
        if self._sink is None:
            return
        self.flush()
        if self._nonfinite:
            self.set_tags({"nonfinite": ", ".join(f"{name}@{step}" for name, step in self._nonfinite.items())})
        self._sink.write({"kind": "end", "status": status, "time": int(time.time() * 1000)})

    def _send(self, points: Sequence[tuple[str, float, int, int]]) -> None:
        if self._sink is None:
            return
        finite = []
        for name, value, milliseconds, step in points:
            if math.isfinite(value):
                finite.append((_valid(name), value, milliseconds, step))
            elif name not in self._nonfinite:
                # MLflow would store infinity as 1.797e308, which ruins every axis of the UI.
                self._nonfinite[name] = step
                _warn(f"{name} is {value} at step {step}; MLflow gets finite values only")
        for start in range(0, len(finite), BATCH):
            self._sink.write({"kind": "metrics", "points": finite[start : start + BATCH]})


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
    identity, group = _identity(name)
    header: Event = {
        "kind": "run",
        "id": resume,
        "name": name,
        "area": area,
        "group": group,
        "start": int(time.time() * 1000),
    }
    header["tags"] = {_valid(key): str(value) for key, value in {**identity, **tags}.items()}
    sink = _Sink(header)
    handle = Run(sink)
    status = "FAILED"
    try:
        sink.write({"kind": "params", "values": {_valid(key): str(value) for key, value in _flat(params)}})
        sink.write({"kind": "datasets", "values": [astuple(dataset) for dataset in datasets]})
        yield handle
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        handle.close(status)


def add_scores(weights_sha256: str, values: Mapping[str, float], figures: Sequence[Path] = ()) -> None:
    """Add final scores to the newest run tagged `weights.sha256`: one row then holds learning rate and score.

    Without such a run (the weights came from a cache or another machine) it warns and does nothing.
    """
    if os.environ.get("DLCV_TRACKING") == "off":
        return
    name = f"scores-{weights_sha256[:8]}"
    handle = Run(_Sink({"kind": "scores", "id": None, "name": name, "weights": weights_sha256}))
    handle.scores(values)
    for path in figures:
        handle.figure(path)
    handle.close(None)


def initialise() -> None:
    """Create the sqlite database where there is none, once among processes that start together.

    Quick, without importing mlflow, when it exists; an outdated one is upgraded when a run connects.

    Raises:
        UserError: the database cannot be created.
    """
    uri = _uri()
    if not uri.startswith("sqlite:///"):
        return
    database = Path(uri.removeprefix("sqlite:///"))
    # MLflow migrates a new database through its whole history, in seconds, and processes that do so together break it.
    # It is made aside and renamed, so that one that exists is complete.
    if database.exists():
        return
    with _lock():
        if not database.exists():
            with replacing(database) as temporary:
                script = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments()"
                _mlflow(["-c", script, f"sqlite:///{temporary}"], f"cannot create {database}")


def import_file(path: Path) -> int:
    """Import what was logged while the server was away: one file, or a folder's `*.jsonl`. Repeating it is harmless.

    A file is renamed to `*.imported` when all of it arrived. One without an end (its stage was killed, or still runs)
    is imported as far as it goes and stays.

    Returns:
        How many runs were imported.

    Raises:
        UserError: no such file, not such a file, or a server that is still away.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    contents = [_read(file) for file in files]  # all are readable before the first is sent
    count = 0
    for file, (header, *events) in zip(files, contents, strict=True):
        try:
            client = _connect(_uri())
            run_id, _ = _open(client, header)
            for event in events if run_id else ():
                if event["kind"] == "artifact":
                    event["path"] = str(file.parent / event["path"])
                _submit(client, str(run_id), event)
        except Exception as error:
            raise UserError(_redacted(f"{file}: {_uri()} did not take it: {_line(error)}; try again later")) from error
        if run_id is None:
            continue
        count += header["kind"] == "run"
        if events and events[-1]["kind"] == "end":
            file.rename(file.with_suffix(".imported"))
            shutil.rmtree(file.with_suffix(""), ignore_errors=True)
        else:
            _warn(f"{file} has no end; imported as far as it goes and kept")
    return count


class _Sink:
    """Where a run's events go: the server as long as it answers, then a file. Raises nothing."""

    def __init__(self, header: Event) -> None:
        self.id: str | None = header["id"]
        self.last_steps: dict[str, int] = {}
        self._header = header
        self._file: Path | None = None
        self._client: MlflowClient | None = None
        try:
            if _uri() in _away:
                raise ConnectionError("it failed earlier in this process")
            self._client = _connect(_uri())
            self.id, self.last_steps = _open(self._client, header, live=True)
        except Exception as error:  # whatever sqlalchemy or requests may raise, training goes on
            self._leave(error)

    def write(self, event: Event) -> None:
        if self._client is not None and self.id is not None:
            try:
                return _submit(self._client, self.id, event)
            except Exception as error:
                self._leave(error)
        if self._file is not None:
            try:
                self._append(event)
            except OSError as error:
                _warn(f"nothing more is logged: {self._file}: {_line(error)}")
                self._file = None

    def _leave(self, error: Exception) -> None:
        """From here on everything goes to a file that `import_file` reads."""
        self._client = None
        _away.add(_uri())
        if self.id is None:
            self.id = f"offline-{uuid.uuid4().hex}"
        self._header["id"] = self.id
        name = re.sub(r"[^\w.@-]+", "_", self._header["name"])
        self._file = root() / "mlruns-offline" / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-{uuid.uuid4().hex[:4]}.jsonl"
        why = f"MLflow at {_uri()} is away: {_line(error)}"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._append(self._header)
            _warn(_redacted(f"{why}; logging to a file, for later: dlcv tracking import {self._file}"))
        except OSError as failure:
            _warn(_redacted(f"{why}; and no file can be written, so nothing is logged: {_line(failure)}"))
            self._file = None

    def _append(self, event: Event) -> None:
        assert self._file is not None
        if event["kind"] == "artifact":
            source = Path(event["path"])
            if not source.is_file() or source.stat().st_size > KEEP_BYTES:
                return _warn(f"{source} is missing or too large to be kept for MLflow")
            copy = self._file.with_suffix("") / event["folder"] / source.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
            event = {**event, "path": str(copy.relative_to(self._file.parent))}
        with open(self._file, "a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


def _connect(uri: str) -> MlflowClient:
    """A client whose store answers. Raises whatever MLflow raises."""
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    from mlflow import MlflowClient

    if not uri.startswith("sqlite:"):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
        return client
    initialise()
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  # a second's work, better not done under the lock

    with _lock():  # MLflow upgrades a database that lacks tables as soon as it sees it, and two such upgrades collide
        try:
            return MlflowClient(uri)
        except Exception as error:
            if "out-of-date database schema" not in str(error):
                raise
            _warn(f"upgrading {uri} to this version of MLflow")
            _mlflow(["-m", "mlflow", "db", "upgrade", uri], f"cannot upgrade {uri}")
            return MlflowClient(uri)


def _open(client: MlflowClient, header: Event, live: bool = False) -> tuple[str | None, dict[str, int]]:
    """The id of the run that `header` describes, created if need be, and its curves' last steps if it is resumed.

    The id is None when scores have no training run to go to.
    """
    if header["kind"] == "scores":
        found = _newest(client, f"tags.`weights.sha256` = '{header['weights']}'")
        if found is None:
            _warn(f"no MLflow run made the weights {header['weights'][:12]}; their scores are only in the evaluation's")
        return (found.info.run_id if found else None), {}
    found = _find(client, header["id"]) if header["id"] else None
    if found is not None:
        run_id: str = found.info.run_id
        if not live:
            return run_id, {}
        client.update_run(run_id, status="RUNNING")
        _apply(client, run_id, {"kind": "tags", "values": header["tags"]})
        return run_id, {
            name: max(point.step for point in client.get_metric_history(run_id, name)) for name in found.data.metrics
        }
    with _lock():
        experiment = _experiment(client, header["area"])
        tags = {**header["tags"], "mlflow.parentRunId": _parent(client, experiment, header)}
        if header["id"]:
            tags["dlcv.origin"] = header["id"]  # how a second import, or a resumed stage, finds it
        created = client.create_run(experiment, start_time=header["start"], tags=tags, run_name=header["name"])
    return created.info.run_id, {}


def _find(client: MlflowClient, run_id: str) -> MlflowRun | None:
    """The run with this id, or the one that was created in its place."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_run(run_id)
        if found.info.lifecycle_stage == "active":
            return found
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
    return _newest(client, f"tags.`dlcv.origin` = '{_quotable(run_id)}'")


def _newest(client: MlflowClient, where: str, experiments: Sequence[str] | None = None) -> MlflowRun | None:
    """The newest run that matches, of the given experiments or of all."""
    if experiments is None:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(list(experiments), where, max_results=1, order_by=["attributes.start_time DESC"])
    return found[0] if found else None


def _experiment(client: MlflowClient, area: str) -> str:
    """The id of the MLflow experiment of an area. Call it under the lock."""
    found = client.get_experiment_by_name(area)
    if found is None:
        # A server keeps artifacts where it likes. Beside sqlite they would land in the working directory, which
        # `dvc exp run --temp` and `--queue` throw away.
        local = (root() / "mlartifacts" / area).as_uri() if _uri().startswith("sqlite:") else None
        return client.create_experiment(area, artifact_location=local)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def _parent(client: MlflowClient, experiment: str, header: Event) -> str:
    """The id of the run that stands for the DVC experiment. Call it under the lock."""
    group = _quotable(header["group"])
    found = _newest(client, f"tags.`dlcv.group` = '{group}'", [experiment])
    if found is not None:
        return found.info.run_id
    keep = ("dvc.exp", "dvc.baseline", "git.commit")
    tags = {"dlcv.group": group} | {key: header["tags"][key] for key in keep if key in header["tags"]}
    created = client.create_run(experiment, start_time=header["start"], tags=tags, run_name=group.split("@")[0])
    client.set_terminated(created.info.run_id)  # it only groups its children; no stage knows that it is the last
    return created.info.run_id


def _apply(client: MlflowClient, run_id: str, event: Event) -> None:
    """Send one event. Applying it again changes nothing, except that tags and artifacts are overwritten."""
    from mlflow.entities import Dataset as Data
    from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag

    kind = event["kind"]
    if kind == "metrics":
        client.log_batch(run_id, metrics=[Metric(*point) for point in event["points"]], synchronous=True)
    elif kind == "params":
        # MLflow refuses a second value of a parameter; a resumed run keeps its first.
        known = client.get_run(run_id).data.params
        new = [Param(key, value) for key, value in event["values"].items() if key not in known]
        for start in range(0, len(new), 100):
            client.log_batch(run_id, params=new[start : start + 100], synchronous=True)
    elif kind == "tags":
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in event["values"].items()], synchronous=True)
    elif kind == "datasets" and event["values"]:
        # A digest holds 36 characters, so the whole hash is a tag beside it.
        inputs = [
            DatasetInput(Data(name, sha256[:36], "local", json.dumps({"uri": source})), [InputTag("sha256", sha256)])
            for name, sha256, source in event["values"]
        ]
        client.log_inputs(run_id, inputs)
    elif kind == "artifact":
        client.log_artifact(run_id, event["path"], event["folder"])
    elif kind == "end" and event["status"] and (client.get_run(run_id).info.end_time or 0) <= event["time"]:
        # The condition: a file that is imported late does not end a run that was resumed since.
        client.set_terminated(run_id, event["status"], event["time"])


def _submit(client: MlflowClient, run_id: str, event: Event) -> None:
    """`_apply`, patient with a busy database. What the server refuses costs a warning; raises if it is away."""
    for pause in (0.2, 1.0, 0.0):
        try:
            return _apply(client, run_id, event)
        except Exception as error:
            # MLflow itself waits 20 s for whoever holds the sqlite file.
            if pause and re.search(r"database (table )?is (locked|busy)", str(error)):
                time.sleep(pause)
                continue
            if getattr(error, "error_code", "") != "INVALID_PARAMETER_VALUE":
                if event["kind"] != "artifact":
                    raise
                client.get_run(run_id)  # raises unless only the file, or the store of artifacts, is at fault
            return _warn(f"MLflow did not take {event.get('path', event['kind'])}: {_line(error)}")


def _identity(name: str) -> tuple[dict[str, str], str]:
    """The tags that tie a run to DVC and git, and the key of its parent: the experiment, or commit and parameters."""
    experiment = os.environ.get("DVC_EXP_NAME", "")
    baseline = os.environ.get("DVC_EXP_BASELINE_REV", "")
    tags = {"dvc.stage": os.environ.get("DVC_STAGE", name), "dvc.exp": experiment, "dvc.baseline": baseline}
    commit = _git("rev-parse", "HEAD")
    if commit:
        # What the pipeline itself rewrites while it runs does not make the code another.
        ours = [":(exclude,glob)**/dvc.lock", ":(exclude)metrics", ":(exclude)report"]
        changes = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *ours)
        tags |= {"git.commit": commit, "mlflow.source.git.commit": commit, "git.dirty": str(bool(changes)).lower()}
    if experiment:
        return tags, f"{experiment}@{baseline[:7]}"
    params = Path("params.yaml")
    digest = hashlib.sha256(params.read_bytes()).hexdigest()[:8] if params.is_file() else "no-params"
    return tags, f"{commit[:7] if commit else 'no-commit'}-{digest}"


def _git(*arguments: str) -> str | None:
    """What git prints; None without git or outside a repository."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _mlflow(arguments: list[str], failure: str) -> None:
    """Run mlflow in its own process, which lets go of the database when it ends."""
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{failure}: {(done.stderr.strip() or 'mlflow failed').splitlines()[-1]}")


def _read(file: Path) -> list[Event]:
    """The events of a file that `_Sink` wrote; a line that a kill cut off at the end is left out."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {_line(error)}") from None
    events = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(json.loads(line))
        except ValueError:
            if number < len(lines):
                raise UserError(f"{file}, line {number}: not what dlcv logs while MLflow is away") from None
    if not events or not isinstance(events[0], dict) or events[0].get("kind") not in ("run", "scores"):
        raise UserError(f"{file} is not what dlcv logs while MLflow is away; those files are in mlruns-offline")
    return events


def _uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root() / 'mlflow.db'}"


def _lock() -> FileLock:
    return FileLock(root() / ".mlflow.lock", timeout=LOCK_SECONDS)


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _valid(name: str) -> str:
    """`name` as MLflow takes it: "D(G(z))" becomes "D_G_z". It must also be a normal path."""
    allowed = re.sub(r"[^\w\-. :/]+", "_", name)
    if allowed != name:
        allowed = allowed.strip("_")
    return posixpath.normpath("/" + allowed)[1:251].lstrip("/") or "_"


def _quotable(text: str) -> str:
    return re.sub(r"['\"`]", "_", text)


def _line(error: BaseException) -> str:
    """The innermost cause on one line: "Connection refused", not the layers that wrap it."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _redacted(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)  # a password may stand in the address


def _warn(text: str) -> None:
    print(f"dlcv: {text}", file=sys.stderr)
