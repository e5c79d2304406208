"""The stages of `dlcv repro --ray` on the nodes of a Ray cluster.

A node that shares the folder of the repository works in it. Another one gets the files of the repository, pulls what
the stage needs from the DVC remote, and pushes what it makes; DVC then finds the run in its run cache and takes the
outputs in. A stage whose node dies is started again, on another node if there is one.
"""

from __future__ import annotations

import io
import os
import secrets
import socket
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any, Self

from dlcv.runtime import node
from dlcv.runtime.errors import UserError
from dlcv.runtime.executors import HINTS, PATIENCE, Executor, command, short
from dlcv.runtime.gpus import CONTEXT, FRAGMENTS, OTHERS
from dlcv.runtime.tracking import LATER, offline

TOKEN = Path(".dvc/tmp/dlcv-ray")
PROCESS = 2e9  # bytes of a stage beside what its training needs: Python, torch, the data
ATTEMPTS = 3  # more starts of a stage whose node died


class Cluster(Executor):
    """Stages as tasks of a Ray cluster, which finds the nodes with enough CPUs, memory and GPU.

    Args:
        address: of the cluster; None for that of `RAY_ADDRESS`, or one that runs on this machine.
        threads: of a stage; it gets as many CPUs.
        needs: bytes of each training, by its stage.
        gpu_memory: bytes of a GPU of the cluster.

    Raises:
        UserError: Ray is not installed, or there is no cluster.
    """

    def __init__(self, address: str | None, threads: int, needs: dict[str, float], gpu_memory: float | None = None):
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # stages may say the same
        try:
            import ray
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
        self.ray = ray
        ray.cloudpickle.register_pickle_by_value(node)
        resources = ray.cluster_resources()
        super().__init__(max(1, int(resources.get("CPU", 1)) // threads))
        self.threads = threads
        self.needs = needs
        self.gpu_memory = gpu_memory
        self.has_gpus = resources.get("GPU", 0) > 0
        self.token = secrets.token_hex(16)
        self._running: dict[str, Any] = {}
        self._taking = threading.Lock()
        self._stopper = ray.remote(node.Stop).options(num_cpus=0).remote()

    def __enter__(self) -> Self:
        TOKEN.write_text(self.token, encoding="utf-8")
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        TOKEN.unlink(missing_ok=True)
        self.ray.shutdown()

    def admit(self, stage: str) -> bool:
        return True  # Ray keeps what does not fit waiting

    def run(self, stage: str) -> int:
        task = node.Task(
            stage,
            short(stage),
            str(Path.cwd()),
            self.token,
            str(TOKEN),
            {"DLCV_TRACKING": os.environ.get("DLCV_TRACKING", LATER)},
            HINTS,
            PATIENCE,
        )
        remote = self.ray.remote(node.run).options(**self._resources(stage), max_retries=ATTEMPTS, name=short(stage))
        reference = self._running[stage] = remote.remote(task, self._stopper, snapshot())
        try:
            done = node.Done(*self.ray.get(reference))
        except self.ray.exceptions.RayError as error:
            print(f"{short(stage)} | {type(error).__name__}: {' '.join(str(error).split())[:200]}", flush=True)
            return 1
        finally:
            self._running.pop(stage, None)
        if done.shared or done.code:
            return done.code
        return self._take(stage, done.logged)

    def leave(self, stage: str) -> None:
        pass

    def interrupt(self) -> None:
        self._stopper.ask.remote()

    def kill(self) -> None:
        for reference in list(self._running.values()):
            self.ray.cancel(reference, force=True)

    def _resources(self, stage: str) -> dict[str, Any]:
        """What a stage needs of a node, as options of Ray."""
        bytes_ = self.needs.get(stage, 0.0)
        gpus = 0.0
        if self.has_gpus:
            share = (self.needs.get(stage, OTHERS) * FRAGMENTS + CONTEXT) / (self.gpu_memory or 1)
            gpus = min(1.0, round(share + 0.005, 2)) if self.gpu_memory else 1.0
            bytes_ = 0.0  # on the GPU
        return {"num_cpus": self.threads, "num_gpus": gpus, "memory": int(bytes_ + PROCESS)}

    def _take(self, stage: str, logged: bytes) -> int:
        """Take in what a node without the folder has pushed and logged; the exit code of DVC."""
        with self._taking, tarfile.open(fileobj=io.BytesIO(logged)) as archive:
            members = [each for each in archive.getmembers() if Path(each.name) != Path("away.json")]
            archive.extractall(offline(), members=members, filter="data")
        said = subprocess.run(command(stage, "--pull"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if said.returncode:
            print("".join(f"{short(stage)} | {line}\n" for line in said.stdout.splitlines()), file=sys.stderr, end="")
        return said.returncode


def snapshot() -> bytes:
    """All files of the repository that git tracks or would track, and DVC's own settings, as a tar file."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], capture_output=True, text=True
    )
    if listed.returncode:
        raise UserError(f"--ray needs a git repository ({listed.stderr.strip()}); clone the project with git")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in [*filter(None, listed.stdout.split("\0")), ".dvc/config.local"]:
            if Path(name).is_file():
                archive.add(name)
    return stream.getvalue()
