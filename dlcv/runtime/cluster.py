"""The stages of `dlcv repro --ray` on the nodes of a Ray cluster.

A node that shares the folder of the repository works in it. Another one gets the files of the repository, pulls what
the stage needs from the DVC remote, and pushes what it makes; the outputs are pulled, and the entry of its lock file is
taken over. Once there is such a node, what is made in the folder is pushed too, so nodes of both kinds work together. A
stage whose node dies is started again, on another node if there is one.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from dlcv.runtime import durations, node
from dlcv.runtime.edits import EDITED
from dlcv.runtime.errors import UserError
from dlcv.runtime.executors import DVC, HINTS, PATIENCE, Executor, short
from dlcv.runtime.files import remove
from dlcv.runtime.gpus import CONTEXT, FRAGMENTS, OTHERS
from dlcv.runtime.mlflow_store import COMMIT, commit_tags
from dlcv.runtime.stages import adopt, has_remote, lock_file, locked, outside_cache
from dlcv.runtime.tracking import AWAY, EVENTS, LATER

TOKEN = Path(".dvc/tmp/dlcv-ray")
PROCESS = 2e9  # bytes of a stage beside what its training needs: Python, torch, the data
ATTEMPTS = 3  # more starts of a stage whose node died


class Cluster(Executor):
    """Stages as tasks of a Ray cluster, which finds the nodes with enough CPUs, memory and GPU.

    Args:
        ray: the module, from `connect`.
        needs: the stages that each stage depends on.
        threads: of a stage; it gets as many CPUs.
        memory: bytes of each training, by its stage.
        gpu_memory: bytes of a GPU of the cluster.
    """

    def __init__(
        self,
        ray: Any,
        needs: Mapping[str, list[str]],
        threads: int,
        memory: dict[str, float],
        gpu_memory: float | None = None,
    ):
        self.ray = ray
        ray.cloudpickle.register_pickle_by_value(node)
        resources = ray.cluster_resources()
        super().__init__(max(1, int(resources.get("CPU", 1)) // threads))
        self.threads = threads
        self.needs = needs
        self.memory = memory
        self.gpu_memory = gpu_memory
        self.has_gpus = resources.get("GPU", 0) > 0
        self.token = secrets.token_hex(16)
        self.environment = {"DLCV_TRACKING": os.environ.get("DLCV_TRACKING", LATER), COMMIT: json.dumps(commit_tags())}
        self._running: dict[str, Any] = {}
        self._exchange = threading.Lock()  # one thread at a time pulls or pushes
        self._pushes = False  # whether the outputs have to be in the DVC remote, because a node lacks the folder
        # On this machine: if the node with the actor died, the stages on all nodes would stop.
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        self._stopper = ray.remote(node.Stop).options(num_cpus=0, scheduling_strategy=here).remote()

    def __enter__(self) -> Self:
        TOKEN.write_text(self.token, encoding="utf-8")
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        TOKEN.unlink(missing_ok=True)
        self.ray.shutdown()

    def admit(self, stage: str) -> bool:
        return True  # Ray keeps what does not fit waiting

    def attempt(self, stage: str) -> tuple[int, bool]:
        try:
            done = self._on_a_node(stage)
            if done.code is None:
                self._begin_to_push(done.away)
                done = self._on_a_node(stage)
        except self.ray.exceptions.RayError as error:
            print(f"{short(stage)} | {type(error).__name__}: {' '.join(str(error).split())[:200]}", flush=True)
            return 1, False
        assert done.code is not None  # it got the files of the repository
        with self._exchange:
            if done.away:
                return self._take(stage, done), False
            if done.code == 0 and self._pushes:
                return _call([*DVC, "push", stage], short(stage)), False
        return done.code, done.edited

    def _on_a_node(self, stage: str) -> node.Done:
        """Run `stage` on a node that Ray chooses."""
        task = node.Task(
            stage,
            self.needs[stage],
            short(stage),
            str(Path.cwd()),
            [EVENTS, str(durations.PATH), lock_file(stage), *outside_cache(stage)],
            self.token,
            str(TOKEN),
            self.environment,
            HINTS,
            EDITED,
            PATIENCE,
        )
        remote = self.ray.remote(node.run).options(**self._resources(stage), max_retries=ATTEMPTS, name=short(stage))
        files = snapshot() if self._pushes else b""
        reference = self._running[stage] = remote.remote(task, self._stopper, files)
        try:
            return node.Done(*self.ray.get(reference))
        finally:
            self._running.pop(stage, None)

    def _begin_to_push(self, away: str) -> None:
        """Push all outputs that there are, once, for the node `away`.

        Raises:
            UserError: there is no DVC remote, or it takes nothing.
        """
        with self._exchange:
            if self._pushes:
                return
            if not has_remote():
                raise UserError(
                    f"the node {away} does not see {Path.cwd()}, and there is no DVC remote; "
                    "mount the folder there, or add a remote by `dvc remote add -d storage URL`"
                )
            print(f"dlcv: {away} does not see this folder; pushing to the DVC remote", file=sys.stderr, flush=True)
            if _call([*DVC, "push"], "dvc push"):
                raise UserError("dvc push failed; its messages start with dvc push")
            self._pushes = True

    def leave(self, stage: str) -> None:
        pass

    def interrupt(self) -> None:
        self._stopper.ask.remote()

    def kill(self) -> None:
        for reference in list(self._running.values()):
            self.ray.cancel(reference, force=True)

    def _take(self, stage: str, done: node.Done) -> int:
        """Take in what a stage has logged and made on a node without the folder; the exit code of DVC."""
        made = [] if done.code else outside_cache(stage)
        for path in made:
            remove(Path(path))
        with tarfile.open(fileobj=io.BytesIO(done.files)) as archive:
            texts = {name: _text(archive, name) for name in (str(durations.PATH), lock_file(stage))}
            members = [
                each for each in archive if any(Path(each.name).is_relative_to(name) for name in (EVENTS, *made))
            ]
            # Which servers were away is a fact of each machine.
            archive.extractall(members=[each for each in members if Path(each.name).name != AWAY], filter="data")
        if done.code:
            return done.code
        with open(durations.PATH, "ab") as file:
            file.write(texts[str(durations.PATH)])
        adopt(stage, texts[lock_file(stage)])
        return _call([*DVC, "pull", "--force", stage], short(stage))

    def _resources(self, stage: str) -> dict[str, Any]:
        """What a stage needs of a node, as options of Ray."""
        bytes_ = self.memory.get(stage, 0.0)
        gpus = 0.0
        if self.has_gpus:
            share = (self.memory.get(stage, OTHERS) * FRAGMENTS + CONTEXT) / (self.gpu_memory or 1)
            gpus = min(1.0, round(share + 0.005, 2)) if self.gpu_memory else 1.0
            bytes_ = 0.0  # on the GPU
        wanted = {"GPU": gpus, "CPU": self.threads, "memory": int(bytes_ + PROCESS)}
        # A stage that is too large for every node gets a whole one: Ray would wait without an end for a larger one.
        nodes = [each["Resources"] for each in self.ray.nodes() if each["Alive"]]
        held = max([min(each.get(name, 0), wanted[name]) for name in wanted] for each in nodes)
        return dict(zip(("num_gpus", "num_cpus", "memory"), held, strict=True))


def connect(address: str | None) -> Any:
    """Connect this process with a Ray cluster and return the module of Ray.

    Args:
        address: HOST:PORT; None for that of `RAY_ADDRESS`, or a cluster that runs on this machine.

    Raises:
        UserError: Ray is not installed, or there is no cluster.
    """
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # stages may say the same
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError:
        raise UserError("--ray needs Ray; install it with `pip install 'dlcv[ray]'`") from None
    try:
        if address is not None and ":" in address:  # Ray would wait for minutes
            host, port = address.rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address=address or "auto", configure_logging=False)
    except (OSError, ValueError, RuntimeError) as error:
        where = f"at {address}" if address else "on this machine"
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"there is no Ray cluster {where} ({reason}); `ray start --head` starts one") from None
    return ray


def _call(words: list[str], name: str) -> int:
    """Run a command; its exit code. What it says is printed only if it fails, line by line after `name`."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print("".join(f"{name} | {line}\n" for line in done.stdout.splitlines()), file=sys.stderr, end="")
    return done.returncode


def _text(archive: tarfile.TarFile, name: str) -> bytes:
    """The content of a file in a tar file; empty without this file."""
    file = archive.extractfile(name) if name in archive.getnames() else None
    return file.read() if file else b""


def snapshot() -> bytes:
    """All files of the repository that git tracks or would track, and DVC's own settings, as a tar file."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], capture_output=True, text=True
    )
    if listed.returncode:
        raise UserError(f"--ray needs a git repository ({listed.stderr.strip()}); clone the project with git")
    stream = io.BytesIO()
    with locked(), tarfile.open(fileobj=stream, mode="w") as archive:  # no lock file is half-written meanwhile
        for name in [*filter(None, listed.stdout.split("\0")), ".dvc/config.local"]:
            if Path(name).is_file():
                archive.add(name)
    return stream.getvalue()
