"""Answers to reads, made once for all who ask within half a second: a hundred open pages cost what one costs."""

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

import anyio
import anyio.to_thread

FRESH_S: Final = 0.5
MOST: Final = 512  # different answers that are kept
LARGEST: Final = 4_000_000  # bytes; larger answers are not kept
MOST_BYTES: Final = 32_000_000  # of all that are kept


@dataclass(slots=True)
class _Made:
    """An answer, or one that is being made: `body` is a future until then."""

    body: "asyncio.Future[bytes]"
    until: float

    def fail(self, error: BaseException) -> None:
        """Tell those who wait for it, if anybody does."""
        if isinstance(error, Exception):
            self.body.set_exception(error)
            self.body.exception()  # else it is said of one that nobody waits for that it was never asked about
        else:
            self.body.cancel()


@dataclass(slots=True)
class Fresh:
    """Bodies by what was asked for. All methods are called on the one event loop; `make` runs in a thread."""

    fresh_s: float = FRESH_S
    _made: dict[Hashable, _Made] = field(default_factory=dict)

    async def get(
        self, key: Hashable, make: Callable[[], bytes], limiter: "anyio.CapacityLimiter | None" = None
    ) -> bytes:
        """The answer that is kept, or a new one. What `make` raises is raised for all who wait for it."""
        found = self._made.get(key)
        if found is not None and (not found.body.done() or time.monotonic() < found.until):
            return await asyncio.shield(found.body)
        made = _Made(asyncio.get_running_loop().create_future(), float("inf"))
        self._trim()
        self._made[key] = made
        try:
            body = await anyio.to_thread.run_sync(make, limiter=limiter)
        except BaseException as e:
            self._drop(key, made)
            made.fail(e)
            raise
        made.body.set_result(body)
        made.until = time.monotonic() + self.fresh_s
        if len(body) > LARGEST:
            self._drop(key, made)
        return body

    def forget(self) -> None:
        """Something was changed: whoever asks now sees it."""
        self._made.clear()

    def _drop(self, key: Hashable, made: _Made) -> None:
        if self._made.get(key) is made:
            del self._made[key]

    def _trim(self) -> None:
        """Drop what is over its time, and the oldest beyond what may be kept."""
        now = time.monotonic()
        self._made = {key: one for key, one in self._made.items() if not one.body.done() or one.until > now}
        size = sum(len(one.body.result()) for one in self._made.values() if one.body.done())
        while len(self._made) >= MOST or size > MOST_BYTES:
            one = self._made.pop(next(iter(self._made)))
            size -= len(one.body.result()) if one.body.done() else 0
