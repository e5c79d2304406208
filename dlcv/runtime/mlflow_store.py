"""Sends the events of `dlcv.runtime.tracking` to MLflow. No other module imports mlflow, and this one imports it late.

An event is a small JSON object: one thing that a run logs. The first event is the header, which describes the run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from dlcv.runtime.errors import UserError
from dlcv.runtime.files import replacing, root
from dlcv.runtime.git import git

if TYPE_CHECKING:
    from mlflow import MlflowClient

Event = dict[str, Any]

SQLITE = "sqlite:///"
LOCK_SECONDS = 120.0
PLACE = "dlcv.place"  # a tag: where a run was started
COMMIT = "DLCV_COMMIT"  # a variable: the tags of the git commit as JSON, for stages that run in a copy without git

# Set before mlflow is imported, unless the user has set them. With MLflow's defaults a request is retried for minutes.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # its errors are raised as exceptions anyway
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass(frozen=True)
class StoredRun:
    """One run in MLflow. Without a server, each method raises an exception of MLflow, sqlalchemy or requests."""

    client: MlflowClient
    id: str

    def take_up(self, tags: Mapping[str, str]) -> dict[str, int]:
        """Set the status of a killed run to RUNNING again.

        Returns:
            The last step of each of its curves.
        """
        self.client.update_run(self.id, status="RUNNING")
        self._apply({"kind": "tags", "values": tags})
        curves = self.client.get_run(self.id).data.metrics
        return {name: max(point.step for point in self.client.get_metric_history(self.id, name)) for name in curves}

    def points(self) -> set[tuple[str, int]]:
        """Name and step of each point of its curves."""
        names = self.client.get_run(self.id).data.metrics
        return {(name, point.step) for name in names for point in self.client.get_metric_history(self.id, name)}

    def ended_since(self, time: int) -> bool:
        """Whether the run has ended after `time`, in milliseconds."""
        return (self.client.get_run(self.id).info.end_time or 0) > time

    def send(self, event: Event) -> None:
        """Send one event. If the server refuses its content, print a warning.

        An event may be sent twice: the second time overwrites tags and artifacts, and changes nothing else.
        """
        try:
            self._apply(event)
        except Exception as error:
            if event["kind"] == "artifact":
                self.client.get_run(self.id)  # raises if the server is away, but not if only the artifact store fails
            elif getattr(error, "error_code", "") != "INVALID_PARAMETER_VALUE":
                raise
            warn(f"MLflow did not accept {event.get('path', event['kind'])}: {line(error)}")

    def _apply(self, event: Event) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

        kind = event["kind"]
        if kind == "metrics":
            self.client.log_batch(self.id, metrics=[Metric(*point) for point in event["points"]])
        elif kind == "params":
            # MLflow refuses to change a parameter: a resumed run keeps its first values.
            known = self.client.get_run(self.id).data.params
            new = [Param(key, value) for key, value in event["values"].items() if key not in known]
            self.client.log_batch(self.id, params=new)
        elif kind == "tags":
            self.client.log_batch(self.id, tags=[RunTag(key, value) for key, value in event["values"].items()])
        elif kind == "datasets":
            # A digest has at most 36 characters; a tag holds the whole hash.
            inputs = [
                DatasetInput(Dataset(name, sha[:36], "local", json.dumps({"uri": source})), [InputTag("sha256", sha)])
                for name, sha, source in event["values"]
            ]
            self.client.log_inputs(self.id, inputs)
        elif kind == "artifact":
            self.client.log_artifact(self.id, event["path"], event["folder"])
        elif kind == "end" and event["status"] and (self.client.get_run(self.id).info.end_time or 0) <= event["time"]:
            # Condition on the time: a late import of a file must not end a run that was resumed since.
            self.client.set_terminated(self.id, event["status"], event["time"])


def open_run(header: Event, *, late: bool = False, quiet: bool = False) -> StoredRun | None:
    """Find the run that `header` describes, or create it.

    Args:
        late: whether a file is imported. Then scores wait for the run of their training, which may be in another file.
        quiet: whether scores wait without a warning.

    Returns:
        The run; None for scores that wait.

    Raises:
        Exception: of MLflow, sqlalchemy or requests, if the server is away.
    """
    client = connect()
    everywhere = [str(experiment.experiment_id) for experiment in client.search_experiments()]
    found: str | None = None
    if header["kind"] == "scores":
        found = _newest(client, everywhere, f"tags.`weights.sha256` = '{header['weights']}'")
    else:
        # The run itself, or the run that was created for it when this one did not exist.
        found = _newest(client, everywhere, f"attributes.run_id = '{header['id']}'")
        found = found or _newest(client, everywhere, f"tags.`dlcv.origin` = '{header['id']}'")
    if late and header["kind"] == "scores" and found is None:
        if not quiet:
            warn(f"no run has the weights {header['weights'][:12]} yet; their scores are kept")
        return None
    stored = StoredRun(client, found or _create(client, header))
    if header["kind"] == "scores" and not found:
        # The training was not tracked here, and its row would stay RUNNING.
        stored.send({"kind": "params", "values": header["params"]})
        client.set_terminated(stored.id)
    return stored


def identity(name: str) -> dict[str, str]:
    """The tags of a run that name its DVC stage and git commit, and its group.

    `dlcv.group` is the DVC experiment, or without one the commit and a hash of params.yaml: runs of one `dvc repro` or
    `dvc exp run` have the same.

    Args:
        name: of the stage, used if DVC has not set `DVC_STAGE`.
    """
    experiment = os.environ.get("DVC_EXP_NAME", "")
    baseline = os.environ.get("DVC_EXP_BASELINE_REV", "")
    tags = {"dvc.stage": os.environ.get("DVC_STAGE", name), "dvc.exp": experiment, "dvc.baseline": baseline}
    commit = commit_tags()
    params = Path("params.yaml")
    digest = hashlib.sha256(params.read_bytes()).hexdigest()[:8] if params.is_file() else "no-params"
    group = experiment or f"{commit['git.commit'][:7] if commit else 'no-commit'}-{digest}"
    return {**tags, **commit, "dlcv.group": group}


def commit_tags() -> dict[str, str]:
    """The tags of the git commit: those in the environment, of a copy without git, or those of the repository."""
    if given := os.environ.get(COMMIT):
        return dict(json.loads(given))
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    # The pipeline itself writes these files while it runs: changes in them are no changes of the code.
    ours = [":(exclude,glob)**/dvc.lock", ":(exclude)metrics", ":(exclude)report"]
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *ours)
    return {"git.commit": commit, "mlflow.source.git.commit": commit, "git.dirty": str(bool(changes)).lower()}


def label(name: str) -> tuple[str, str]:
    """What the table calls a training, and its seed: "dann mnistm→usps" and "0" of "mnistm-usps/dann-0".

    A name without a seed is kept, with an empty seed.
    """
    match = re.fullmatch(r"(?P<path>.+)[-/](?P<seed>\d+)", name)
    if match is None:
        return name, ""
    *places, model = match["path"].split("/")
    task = places[0].replace("-", "→") if places else ""
    return f"{model} {task}".strip(), match["seed"]


def initialise() -> None:
    """Create the sqlite database if there is none. Processes that start together create it once.

    If it exists, this is quick and does not import mlflow. An outdated database is upgraded when a run connects.

    Raises:
        UserError: the database cannot be created.
    """
    if not uri().startswith(SQLITE):
        return
    database = Path(uri().removeprefix(SQLITE))
    # MLflow runs all its migrations on a new database, which takes seconds, and two processes at once would break it.
    # The database is made under another name and then renamed, so that an existing one is complete.
    if database.exists():
        return
    with _lock():
        if not database.exists():
            with replacing(database) as temporary:
                script = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments()"
                _mlflow(["-c", script, f"{SQLITE}{temporary}"], f"cannot create {database}")


def connect() -> MlflowClient:
    """A client of the server; the database is made or upgraded first.

    Raises:
        Exception: of MLflow, sqlalchemy or requests, if the server is away.
    """
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    from mlflow import MlflowClient

    if not uri().startswith(SQLITE):
        return MlflowClient(uri())
    initialise()
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  # takes a second, so before the lock

    with _lock():  # MLflow adds missing tables when it connects, and two processes that do so at once collide
        try:
            return MlflowClient(uri())
        except Exception as error:
            if "out-of-date database schema" not in str(error):
                raise
            warn(f"upgrading {uri()} to this version of MLflow")
            _mlflow(["-m", "mlflow", "db", "upgrade", uri()], f"cannot upgrade {uri()}")
            return MlflowClient(uri())


def _newest(client: MlflowClient, experiments: Sequence[str], where: str) -> str | None:
    """The id of the newest run for which the filter `where` holds."""
    found = client.search_runs(list(experiments), where, max_results=1, order_by=["attributes.start_time DESC"])
    return str(found[0].info.run_id) if found else None


def _create(client: MlflowClient, header: Event) -> str:
    """Create the run of a training."""
    name, seed = label(header["name"])
    tags = header["tags"] | ({"seed": seed} if seed else {})
    tags["dlcv.origin"] = header["id"]  # by which a second import or a resumed stage finds it
    tags[PLACE] = place()
    with _lock():
        experiment = _experiment(client, header["area"])
        if header["kind"] == "run" and "fingerprint" in tags:
            _end_killed(client, experiment, tags["fingerprint"])
        created = str(client.create_run(experiment, header["start"], tags, name).info.run_id)
        # A request whose answer was lost was sent again, and made a second run.
        for run in client.search_runs([experiment], f"tags.`dlcv.origin` = '{header['id']}'"):
            if run.info.run_id != created:
                client.delete_run(run.info.run_id)
        return created


def _end_killed(client: MlflowClient, experiment: str, fingerprint: str) -> None:
    """Give the status KILLED to runs of a training that still say RUNNING.

    A lock lets one process of this repository train at a time, so a run that was not resumed has lost its process: it
    was killed before it had written its id beside the checkpoints.
    """
    where = f"attributes.status = 'RUNNING' and tags.fingerprint = '{fingerprint}' and tags.`{PLACE}` = '{place()}'"
    for run in client.search_runs([experiment], where):
        client.set_terminated(run.info.run_id, "KILLED")


def place() -> str:
    """A short hash of this machine's name and the root of the repository."""
    return hashlib.sha256(f"{platform.node()}:{root()}".encode()).hexdigest()[:12]


def _experiment(client: MlflowClient, area: str) -> str:
    """The id of the MLflow experiment of an area."""
    found = client.get_experiment_by_name(area)
    if found is None:
        # A server chooses where it keeps artifacts. With sqlite MLflow would keep them in the working directory,
        # which `dvc exp run --temp` and `--queue` delete.
        local = (root() / "mlartifacts" / area).as_uri() if uri().startswith(SQLITE) else None
        # The kind sets the first page of the UI: runs and their curves, not traces.
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return client.create_experiment(area, artifact_location=local, tags=kind)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _git(*words: str) -> str | None:
    """The output of git; None without git or outside a repository."""
    try:
        return git(*words).strip()
    except UserError:
        return None


def _mlflow(arguments: list[str], failure: str) -> None:
    """Run mlflow in a process of its own, so that the database is closed at its end."""
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{failure}: {(done.stderr.strip() or 'mlflow failed').splitlines()[-1]}")


def _lock() -> FileLock:
    return FileLock(root() / ".mlflow.lock", timeout=LOCK_SECONDS)


def import_lock() -> FileLock:
    """A lock for the import of files: two imports of one file at once would make two runs."""
    return FileLock(root() / ".mlflow-import.lock")


def uri() -> str:
    """The address of MLflow: `MLFLOW_TRACKING_URI`, or `mlflow.db` in the root of the repository."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{root() / 'mlflow.db'}"


def redacted(text: str) -> str:
    """`text` without user and password in addresses."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def line(error: BaseException) -> str:
    """The innermost cause of an exception, on one line: "Connection refused" without the exceptions that wrap it."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return redacted(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


def warn(text: str) -> None:
    """Print a warning of tracking to stderr."""
    print(f"dlcv: {text}", file=sys.stderr)
