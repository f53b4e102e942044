"""Ctrl-C in two steps: the first asks to finish, the second ends at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, Self

from watari.cli.exits import INTERRUPTED


def leave_at_once() -> NoReturn:
    """End without waiting for threads; what is written down is on disk already, and the run can be resumed."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)


@contextmanager
def two_steps(ended: threading.Event) -> Iterator[None]:
    """For programs that run for ever: SIGINT or SIGTERM sets `ended`, the second one ends the process at once."""

    def stop(number: int, frame: object) -> None:
        if ended.is_set():
            leave_at_once()
        ended.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupts:
    """Counts Ctrl-C while it is entered.

    The first only sets `stopping`. The second is raised as KeyboardInterrupt by `check`, between two steps, so that
    nothing is left half-written; the third wherever the program is, should it never come to a check.
    """

    def __init__(self) -> None:
        self.count = 0
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    @property
    def stopping(self) -> bool:
        """Whether Ctrl-C was pressed at all."""
        return self.count > 0

    def check(self) -> None:
        """Raises KeyboardInterrupt after the second Ctrl-C."""
        if self.count > 1:
            raise KeyboardInterrupt

    def leave(self) -> None:
        """After the second Ctrl-C, where threads of moves under way would keep the process: end at once."""
        if self.count > 1:
            leave_at_once()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 2:
            raise KeyboardInterrupt
