"""The stages of the repository as DVC knows them: what each depends on, and which of them changed."""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from dlcv.runtime.errors import UserError

if TYPE_CHECKING:
    from dvc.repo import Repo

UNKNOWN = 10.0  # seconds that a stage is taken to need which has never run here


@dataclass(frozen=True)
class Pipeline:
    """The stages by DVC's addresses: `stages/gan/dvc.yaml:train@sngan`.

    Attributes:
        needs: the stages that each stage depends on.
        changed: those whose command, dependencies or outputs differ from the lock file.
    """

    needs: Mapping[str, list[str]]
    changed: frozenset[str]

    def remaining(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """For each stage the seconds of the longest path from its start to the end of the pipeline."""
        longest: dict[str, float] = dict.fromkeys(self.needs, 0.0)
        for stage in reversed(list(TopologicalSorter(self.needs).static_order())):
            longest[stage] += seconds.get(stage, UNKNOWN)
            for needed in self.needs[stage]:
                longest[needed] = max(longest[needed], longest[stage])
        return longest


def read_needs() -> dict[str, list[str]]:
    """The stages that each stage depends on.

    Raises:
        UserError: there is no pipeline here.
    """
    with _repository() as repo:
        return _needs(repo)


def read_pipeline() -> Pipeline:
    """The stages and which of them changed, asked of DVC once. Waits while another DVC command runs here.

    Raises:
        UserError: there is no pipeline here.
    """
    with locked() as repo, _each_file_once():
        changed = frozenset(stage.addressing for stage in repo.index.graph if stage.changed())
        return Pipeline(_needs(repo), changed)


@contextmanager
def locked() -> Iterator[Repo]:
    """Hold DVC's lock, so that no other command of DVC writes its files. Waits while one does."""
    from dvc.lock import LockError

    with _repository() as repo:
        while True:
            try:
                repo.lock.lock()
                break
            except LockError:
                time.sleep(0.5)
        try:
            _remove_broken_locks(Path(repo.tmp_dir) / "rwlock")
            yield repo
        finally:
            repo.lock.unlock()


def _remove_broken_locks(file: Path) -> None:
    """Remove DVC's list of the files in use if it is no JSON: DVC was killed while it wrote it, and would stop at it.

    DVC writes it only while it holds the lock of the repository, as the caller does.
    """
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        print(f"dlcv: {file} was cut off by a kill, so it is removed", file=sys.stderr, flush=True)
        file.unlink()


def outside_cache(address: str) -> list[str]:
    """The outputs of a stage that DVC does not cache, such as metrics in git: their paths in the repository."""
    with _repository() as repo:
        (stage,) = repo.stage.collect(address)
        return [Path(out.fs_path).relative_to(repo.root_dir).as_posix() for out in stage.outs if not out.use_cache]


def lock_file(address: str) -> str:
    """The path of the lock file of a stage: `stages/gan/dvc.lock` of `stages/gan/dvc.yaml:train@sngan`."""
    return str(Path(address.rpartition(":")[0]).parent / "dvc.lock")


def adopt(address: str, lock: bytes) -> None:
    """Take over the run of a stage in a copy of the repository, whose outputs are here.

    Args:
        lock: the text of `lock_file` in the copy.
    """
    from dvc.stage.loader import StageLoader

    entries = YAML(typ="safe").load(lock)["stages"]
    with locked() as repo:
        (stage,) = repo.stage.collect(address)
        StageLoader.fill_from_lock(stage, entries[stage.name])
        stage.dump(update_pipeline=False)


def has_remote() -> bool:
    """Whether the repository has a default DVC remote."""
    with _repository() as repo:
        return bool(repo.config["core"].get("remote"))


@contextmanager
def _repository() -> Iterator[Repo]:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            yield repo
    except DvcException as error:
        raise UserError(f"no pipeline: {error}") from error


def _needs(repo: Repo) -> dict[str, list[str]]:
    graph = repo.index.graph
    return {stage.addressing: [needed.addressing for needed in graph.successors(stage)] for stage in graph}


@contextmanager
def _each_file_once() -> Iterator[None]:
    """While nothing changes, let DVC parse params.yaml once and look at each dependency once.

    DVC repeats both for every stage that has the dependency, which is more than half of the time of a run with nothing
    to do.
    """
    import dvc.dependency.param as param
    from dvc.output import Output

    parse, hash_of = param.load_path, Output.get_hash
    known: dict[tuple[str, str], Any] = {}

    def hash_once(output: Output) -> Any:
        key = (output.fs_path, output.hash_name)
        if key not in known:
            known[key] = hash_of(output)
        return known[key]

    param.load_path, Output.get_hash = functools.cache(parse), hash_once
    try:
        yield
    finally:
        param.load_path, Output.get_hash = parse, hash_of
