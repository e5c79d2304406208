"""Every write of a training as a crash point: killed there and run again, it gives the bits of an undisturbed run.

    python -m tests.chaos.crash_points

A small training has everything that has a state: BatchNorm, dropout, Adam, an average, snapshots, checkpoints. An audit
hook counts what opens a file for writing, renames, removes or makes something. For each of these events, a forked
process is killed right before it; a second one then runs without a kill. DVC removes the output before a stage starts,
so that is done here too.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcv.engine import training
from dlcv.engine.arithmetic import make_accelerator, seed_everything
from dlcv.engine.loop import train
from dlcv.engine.optimizers import make_optimizer
from dlcv.runtime.provenance import Provenance

OUT = Path("out/area/name")
STEPS = 24
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")


class Numbers:
    """Random batches from a generator of their own."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(1)

    def to(self, device: torch.device) -> None:
        pass

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        return torch.randn(8, 4, generator=self.generator)

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.set_state(state["generator"])


class Regression:
    """Sums of four numbers, by a network with BatchNorm and dropout."""

    def __init__(self) -> None:
        seed_everything(0)
        network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1))
        self.networks: dict[str, nn.Module] = {"result": network}
        optimizer, schedule = make_optimizer(
            "adam", network.parameters(), learning_rate=1e-2, steps=STEPS, schedule="cosine"
        )
        self.optimizers: dict[str, torch.optim.Optimizer] = {"result": optimizer}
        self.schedulers = [schedule]

    def step(self, batch: Tensor, progress: float, backward: Callable[[Tensor], None]) -> dict[str, Tensor]:
        loss = (self.networks["result"](batch) - batch.sum(1, keepdim=True)).square().mean()
        self.optimizers["result"].zero_grad()
        backward(loss)
        self.optimizers["result"].step()
        return {"loss": loss.detach()}


def work() -> None:
    """Train, with a checkpoint at every fourth step and four snapshots."""
    training.train = partial(train, log_every=2, checkpoint_every=4)  # type: ignore[assignment]
    accelerator = make_accelerator()  # before the seed is set
    training.train_into(
        OUT,
        "result",
        Regression(),
        Numbers(),
        accelerator=accelerator,
        provenance=Provenance({"rate": 0.1}, {"set": "d" * 64}, {"x.py": "c" * 64}),
        cards=[],
        about={"width": 8},
        steps=STEPS,
        ema_decay=0.9,
        snapshots=4,
    )


def in_a_fork(kill_at: int | None = None, trace: Path | None = None) -> int:
    """The exit code of `work` in a process of its own, which is killed before its event number `kill_at`.

    Args:
        trace: file for the events.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    count, seen, here = 0, [], str(Path.cwd())

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, (str, bytes, os.PathLike)) or not isinstance(flags, int) or not flags & WRITES:
                return
        elif event not in CHANGES:
            return
        name = os.fsdecode(arguments[0])
        if ".lock" in name or (name.startswith("/") and not name.startswith(here)):
            return
        count += 1
        seen.append(f"{event} {name.removeprefix(here)}")
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
    sys.addaudithook(hook)
    code = 0
    try:
        work()
    except BaseException:
        code = 1
    if trace is not None:
        events = list(seen)
        trace.write_text("\n".join(events))
    os._exit(code)


def outputs() -> dict[str, str]:
    """SHA-256 of every file of the training."""
    files = sorted(path for path in OUT.rglob("*") if path.is_file())
    return {str(path.relative_to(OUT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def start_anew() -> None:
    for folder in ("out", ".checkpoints"):
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Print each crash point with what came of it; exit code 1 if one gave another output or left something."""
    torch.set_num_threads(1)
    os.environ |= {"DLCV_TRACKING": "off"}
    os.environ.pop("DVC_ROOT", None)
    side = Path(tempfile.mkdtemp())
    os.chdir(tempfile.mkdtemp())
    work()  # the imports of the first run belong to no crash point
    expected = outputs()
    start_anew()
    assert in_a_fork(trace=side / "trace") == 0 and outputs() == expected
    events = (side / "trace").read_text().splitlines()
    wrong = 0
    for number, event in enumerate(events, 1):
        start_anew()
        assert in_a_fork(kill_at=number) == -signal.SIGKILL
        shutil.rmtree("out", ignore_errors=True)
        code = in_a_fork()
        left = [str(path) for path in Path(".checkpoints").rglob("*") if path.is_file() and path.suffix != ".lock"]
        left += [str(path) for path in Path("out").rglob(".*")]
        same = code == 0 and outputs() == expected
        wrong += not same or bool(left)
        print(
            f"{number:3} {event}: {'same bits' if same else f'ANOTHER OUTPUT, exit code {code}'} {left or ''}".rstrip()
        )
    print(f"{len(events)} crash points, {wrong} wrong; {len(expected)} files")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
