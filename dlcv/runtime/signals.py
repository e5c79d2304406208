"""SIGINT and SIGTERM: what runs stops at a good moment, and nothing half-written stays."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP = (signal.SIGINT, signal.SIGTERM)


def interrupt_on_sigterm() -> None:
    """Let SIGTERM (of systemd, Slurm, `kill`) raise KeyboardInterrupt as SIGINT does, so that all clean-up runs."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether SIGINT or SIGTERM came. The second signal raises KeyboardInterrupt at once.

    Python handles signals in the main thread. In another one, the function always says no.
    """
    came = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            signal.default_int_handler(number, frame)
        came = True

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, handle) for number in STOP}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
