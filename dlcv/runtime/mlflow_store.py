"""Sends to MLflow what `dlcv.runtime.tracking` is given: the only module that imports mlflow, and only once it is used.

An event is a small JSON object, one thing that a run logs. The header, an event too, says which run that is.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
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

if TYPE_CHECKING:
    from mlflow import MlflowClient

Event = dict[str, Any]

SQLITE = "sqlite:///"
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


@dataclass(frozen=True)
class StoredRun:
    """One run in MLflow. Every method raises whatever MLflow, sqlalchemy or requests raise when the server is away."""

    client: MlflowClient
    id: str

    def take_up(self, tags: Mapping[str, str]) -> dict[str, int]:
        """Set a run that was killed to RUNNING again.

        Returns:
            The last step of each of its curves.
        """
        self.client.update_run(self.id, status="RUNNING")
        self._apply({"kind": "tags", "values": tags})
        curves = self.client.get_run(self.id).data.metrics
        return {name: max(point.step for point in self.client.get_metric_history(self.id, name)) for name in curves}

    def send(self, event: Event) -> None:
        """Send one event; one that a server refuses for what is in it costs a warning.

        Sending it again changes nothing, except that tags and artifacts are overwritten.
        """
        try:
            self._apply(event)
        except Exception as error:
            if event["kind"] == "artifact":
                self.client.get_run(self.id)  # raises unless only the file, or the store of artifacts, is at fault
            elif getattr(error, "error_code", "") != "INVALID_PARAMETER_VALUE":
                raise
            warn(f"MLflow did not take {event.get('path', event['kind'])}: {line(error)}")

    def _apply(self, event: Event) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

        kind = event["kind"]
        if kind == "metrics":
            self.client.log_batch(self.id, metrics=[Metric(*point) for point in event["points"]])
        elif kind == "params":
            # MLflow refuses a second value of a parameter; a resumed run keeps its first.
            known = self.client.get_run(self.id).data.params
            new = [Param(key, value) for key, value in event["values"].items() if key not in known]
            self.client.log_batch(self.id, params=new)
        elif kind == "tags":
            self.client.log_batch(self.id, tags=[RunTag(key, value) for key, value in event["values"].items()])
        elif kind == "datasets":
            # A digest holds 36 characters, so the whole hash is a tag beside it.
            inputs = [
                DatasetInput(Dataset(name, sha[:36], "local", json.dumps({"uri": source})), [InputTag("sha256", sha)])
                for name, sha, source in event["values"]
            ]
            self.client.log_inputs(self.id, inputs)
        elif kind == "artifact":
            self.client.log_artifact(self.id, event["path"], event["folder"])
        elif kind == "end" and event["status"] and (self.client.get_run(self.id).info.end_time or 0) <= event["time"]:
            # The condition: a file that is imported late does not end a run that was resumed since.
            self.client.set_terminated(self.id, event["status"], event["time"])


def open_run(header: Event) -> StoredRun | None:
    """Find the run that `header` describes, or create it.

    Returns:
        The run; None, after a warning, for scores of weights that no run made.

    Raises:
        Exception: whatever MLflow, sqlalchemy or requests raise when the server is away.
    """
    client = _connect()
    everywhere = [str(experiment.experiment_id) for experiment in client.search_experiments()]
    found: str | None = None
    if header["kind"] == "scores":
        found = _newest(client, everywhere, f"tags.`weights.sha256` = '{header['weights']}'")
        if found is None:
            warn(f"no MLflow run made the weights {header['weights'][:12]}; their scores are only in the evaluation's")
            return None
    elif header["id"]:
        # The run itself, or the one that was created in its place.
        found = _newest(client, everywhere, f"attributes.run_id = '{header['id']}'")
        found = found or _newest(client, everywhere, f"tags.`dlcv.origin` = '{header['id']}'")
    return StoredRun(client, found or _create(client, header))


def identity(name: str) -> tuple[dict[str, str], str]:
    """The tags that tie a run to DVC and git, and the key of its parent: the experiment, or commit and parameters.

    Args:
        name: the stage's, where DVC does not say it.
    """
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
        return tags, f"{experiment}:{baseline[:7]}"  # git allows no colon in a name
    params = Path("params.yaml")
    digest = hashlib.sha256(params.read_bytes()).hexdigest()[:8] if params.is_file() else "no-params"
    return tags, f"{commit[:7] if commit else 'no-commit'}-{digest}"


def initialise() -> None:
    """Create the sqlite database where there is none, once among processes that start together.

    Quick, without importing mlflow, when it exists; an outdated one is upgraded when a run connects.

    Raises:
        UserError: the database cannot be created.
    """
    if not uri().startswith(SQLITE):
        return
    database = Path(uri().removeprefix(SQLITE))
    # MLflow migrates a new database through its whole history, in seconds, and processes that do so together break it.
    # It is made aside and renamed, so that one that exists is complete.
    if database.exists():
        return
    with _lock():
        if not database.exists():
            with replacing(database) as temporary:
                script = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments()"
                _mlflow(["-c", script, f"{SQLITE}{temporary}"], f"cannot create {database}")


def _connect() -> MlflowClient:
    for key, value in ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    from mlflow import MlflowClient

    if not uri().startswith(SQLITE):
        return MlflowClient(uri())
    initialise()
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  # a second's work, better not done under the lock

    with _lock():  # MLflow upgrades a database that lacks tables as soon as it sees it, and two such upgrades collide
        try:
            return MlflowClient(uri())
        except Exception as error:
            if "out-of-date database schema" not in str(error):
                raise
            warn(f"upgrading {uri()} to this version of MLflow")
            _mlflow(["-m", "mlflow", "db", "upgrade", uri()], f"cannot upgrade {uri()}")
            return MlflowClient(uri())


def _newest(client: MlflowClient, experiments: Sequence[str], where: str) -> str | None:
    """The id of the newest run that matches."""
    found = client.search_runs(list(experiments), where, max_results=1, order_by=["attributes.start_time DESC"])
    return str(found[0].info.run_id) if found else None


def _create(client: MlflowClient, header: Event) -> str:
    """Create a stage's run and, before the first of an experiment, its parent."""
    with _lock():
        experiment = _experiment(client, header["area"])

        def create(name: str, tags: dict[str, str]) -> str:
            return str(client.create_run(experiment, header["start"], tags, name).info.run_id)

        group = header["group"]
        parent = _newest(client, [experiment], f"tags.`dlcv.group` = '{group}'")
        if parent is None:
            keep = header["tags"].keys() & {"dvc.exp", "dvc.baseline", "git.commit"}
            parent = create(group.split(":")[0], {key: header["tags"][key] for key in keep} | {"dlcv.group": group})
            client.set_terminated(parent)  # it only groups its children; no stage knows that it is the last
        tags = header["tags"] | {"mlflow.parentRunId": parent}
        if header["id"]:
            tags["dlcv.origin"] = header["id"]  # how a second import, or a resumed stage, finds it
        return create(header["name"], tags)


def _experiment(client: MlflowClient, area: str) -> str:
    """The id of the MLflow experiment of an area."""
    found = client.get_experiment_by_name(area)
    if found is None:
        # A server keeps artifacts where it likes. Beside sqlite they would land in the working directory, which
        # `dvc exp run --temp` and `--queue` throw away.
        local = (root() / "mlartifacts" / area).as_uri() if uri().startswith(SQLITE) else None
        # The kind chooses the UI's first page: runs and their curves rather than traces.
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return client.create_experiment(area, artifact_location=local, tags=kind)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


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


def _lock() -> FileLock:
    return FileLock(root() / ".mlflow.lock", timeout=LOCK_SECONDS)


def uri() -> str:
    """Where MLflow is: `MLFLOW_TRACKING_URI`, or `mlflow.db` in the repository's root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{root() / 'mlflow.db'}"


def redacted(text: str) -> str:
    """`text` without the password that may stand in an address."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def line(error: BaseException) -> str:
    """The innermost cause on one line: "Connection refused", not the layers that wrap it."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return redacted(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


def warn(text: str) -> None:
    """Say on stderr what is not tracked, and why."""
    print(f"dlcv: {text}", file=sys.stderr)
