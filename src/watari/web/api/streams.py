"""What changes, told to any number of listeners: one look at the desk a second, whoever listens."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio
import anyio.to_thread

from watari.errors import WatariError
from watari.web.api.desk import Change, Desk

log = logging.getLogger(__name__)
LOOK_S: Final = 1.0
BACKLOG: Final = 512  # changes kept for a listener that is slow; then it is told to read anew
HEARTBEAT_S: Final = 10.0
HEARTBEAT: Final = b": still here\n\n"
HELLO: Final = b"retry: 1000\n\nevent: hello\ndata: {}\n\n"
LOST: Final = b"event: lost\ndata: {}\n\n"


@dataclass(slots=True, eq=False)
class Listener:
    """One open stream, about a cloud or a run or everything."""

    cloud: str | None = None
    run: str | None = None
    queue: deque[bytes] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    def wants(self, change: Change) -> bool:
        about_cloud = self.cloud is None or change.cloud in (self.cloud, "")
        return about_cloud and (self.run is None or change.run == self.run)

    def tell(self, event: bytes) -> None:
        if len(self.queue) >= BACKLOG:
            self.queue.clear()
            event = LOST
        self.queue.append(event)
        self.wake.set()

    async def events(self) -> AsyncIterator[bytes]:
        yield HELLO
        while True:
            try:
                await asyncio.wait_for(self.wake.wait(), HEARTBEAT_S)
            except TimeoutError:
                yield HEARTBEAT
                continue
            self.wake.clear()
            told = b"".join(self.queue)
            self.queue.clear()
            if told:
                yield told
            if self.ended:
                return


@dataclass(slots=True)
class Streams:
    """All listeners of one server; lives on its event loop."""

    desk: Desk
    before_telling: Callable[[], None] = lambda: (
        None
    )  # who hears of a change and asks must not be answered as before it
    look_s: float = LOOK_S
    _listeners: set[Listener] = field(default_factory=set)
    _looking: "asyncio.Task[None] | None" = None
    _loop: asyncio.AbstractEventLoop | None = None
    _known: asyncio.Event = field(default_factory=asyncio.Event)  # what is there, so that changes are seen
    _seq: int = 0
    _limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))

    @property
    def open(self) -> int:
        return len(self._listeners)

    async def told(self, cloud: str | None, run: str | None) -> AsyncGenerator[bytes, None]:
        """One listener's events, until it is closed."""
        listener = self._listen(cloud, run)
        try:
            await self._known.wait()
            async for event in listener.events():
                yield event
        finally:
            self._listeners.discard(listener)

    def _listen(self, cloud: str | None, run: str | None) -> Listener:
        listener = Listener(cloud, run)
        self._listeners.add(listener)
        if self._looking is None:
            self._loop = asyncio.get_running_loop()
            self._looking = asyncio.create_task(self._look(), name="changes")
        return listener

    def close(self) -> None:
        """End every stream, from any thread: else they would hold up the end of the server."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._known.set()
        for listener in self._listeners:
            listener.ended = True
            listener.wake.set()

    async def _look(self) -> None:
        """Goes on while nobody listens, too, at a slower pace: who comes back is told at once."""
        failing = False
        while True:
            try:
                self._deliver(await anyio.to_thread.run_sync(self.desk.changes, limiter=self._limiter))
                self._known.set()
                failing = False
            except WatariError as e:  # the database is away: the next look tells what has changed meanwhile
                if not failing:
                    log.warning("listeners are told nothing: %s", e)
                failing = True
            except Exception:  # the outermost loop of this task: a bug must not end it without a word
                log.exception("looking for changes")
            await asyncio.sleep(self.look_s if self._listeners else 5 * self.look_s)

    def _deliver(self, changes: Sequence[Change]) -> None:
        if changes:
            self.before_telling()
        for change in changes:
            self._seq += 1
            body = change.body.model_dump_json().encode()
            event = b"id: %d\nevent: %s\ndata: %s\n\n" % (self._seq, change.kind.encode(), body)
            for listener in self._listeners:
                if listener.wants(change):
                    listener.tell(event)
