"""Hand what one publisher says to any number of pages, without ever waiting for one of them."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, cast

from watari.errors import WatariError
from watari.web.contract import Chart, ChartTail, PageState, PageTick, ServerDetails, Servers

BACKLOG = 8
"""Ticks kept for a slow page, 2 s at four a second; one that lags further gets a fresh full state instead."""
HEARTBEAT_S = 10.0
HEARTBEAT = b": still here\n\n"

Details = Callable[[str], ServerDetails | None]


class Hub:
    """The meeting point of one publisher thread and the pages' event streams.

    The state is copy-on-write: a tick makes a new one, so that any thread may render the one it holds without a lock.
    What is published belongs to the hub from then on. `details` answers the inspector for a server id; it is called
    from a server thread, so it has to be thread-safe.
    """

    def __init__(self, details: Details = lambda server: None) -> None:
        self.details = details
        self._lock = threading.Lock()
        self._seq = 0
        self._state: PageState | None = None
        self._rendered: tuple[int, bytes] = (0, b"")
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    def publish_state(self, state: PageState) -> None:
        """Replace everything; every page gets it in full. Raises ValueError for a NaN or an infinity."""
        body = _json(state)
        with self._lock:
            self._seq += 1
            self._state = state
            self._rendered = (self._seq, body)
            for subscription in list(self._subscriptions):
                subscription._catch_up()

    def publish_tick(self, tick: PageTick) -> None:
        """Fold a change into the state and pass on what really differs.

        Raises WatariError before the first state, ValueError for a NaN or an infinity.
        """
        with self._lock:
            if self._state is None:
                raise WatariError("a tick needs a state to change; publish_state comes first")
            changes = _changes(self._state, tick)
            if not changes:
                return
            body = _json(changes)
            self._state = _folded(self._state, changes)
            self._seq += 1
            event = _event(self._seq, "tick", body)
            for subscription in list(self._subscriptions):
                subscription._push(self._seq, event)

    def state_json(self) -> bytes | None:
        """The state as JSON, rendered once per change and only when asked for; None before the first."""
        rendered = self._render()
        return None if rendered is None else rendered[1]

    def subscribe(self) -> "Subscription":
        """A page's stream; call it on the event loop that reads it."""
        subscription = Subscription(self, asyncio.get_running_loop())
        with self._lock:
            if self._closed:
                subscription._end()
            else:
                self._subscriptions.add(subscription)
        return subscription

    def end_streams(self) -> None:
        """End those that are open: what they show is not true any more. New ones may come."""
        with self._lock:
            for subscription in list(self._subscriptions):
                subscription._end()
            self._subscriptions.clear()

    def close(self) -> None:
        """End every stream, now and from now on."""
        with self._lock:
            self._closed = True
            for subscription in list(self._subscriptions):
                subscription._end()
            self._subscriptions.clear()

    @property
    def pages(self) -> int:
        """How many streams are open."""
        return len(self._subscriptions)

    def _render(self) -> tuple[int, bytes] | None:
        with self._lock:
            seq, state, rendered = self._seq, self._state, self._rendered
        if state is None:
            return None
        if rendered[0] != seq:  # rendered outside the lock: a big cloud must not hold up the publisher
            rendered = (seq, _json(state))
            with self._lock:
                if self._rendered[0] < seq:
                    self._rendered = rendered
        return rendered

    def _leave(self, subscription: "Subscription") -> None:
        with self._lock:
            self._subscriptions.discard(subscription)


class Subscription:
    """One page's queue of events: first the full state, then ticks; the full state again whenever it lagged."""

    def __init__(self, hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
        self._hub = hub
        self._loop = loop
        self._wake = asyncio.Event()
        self._queue: deque[tuple[int, bytes]] = deque()
        self._behind = True
        self._ended = False
        self._wake.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub._leave(self)

    async def next(self, timeout_s: float = HEARTBEAT_S) -> bytes | None:
        """The next event as it goes over the wire; a heartbeat after `timeout_s` of silence; None at the end."""
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), timeout_s)
            except TimeoutError:
                return HEARTBEAT
            if (event := await self._take()) is not None:
                return event
            if self._ended:  # only now: what was said before the end is still delivered
                return None

    async def _take(self) -> bytes | None:
        with self._hub._lock:
            behind, self._behind = self._behind, False
            if not behind and self._queue:
                return self._queue.popleft()[1]
            if not self._ended:
                self._wake.clear()
        if not behind or (rendered := await asyncio.to_thread(self._hub._render)) is None:
            return None
        seq, body = rendered
        with self._hub._lock:  # ticks that this state already holds
            while self._queue and self._queue[0][0] <= seq:
                self._queue.popleft()
            if self._queue or self._behind:
                self._wake.set()
        return _event(seq, "state", body)

    # The three below are called by the publisher, with the hub's lock held.

    def _push(self, seq: int, event: bytes) -> None:
        if len(self._queue) >= BACKLOG:
            self._catch_up()
        elif not self._behind:
            self._queue.append((seq, event))
            self._notify()

    def _catch_up(self) -> None:
        self._queue.clear()
        self._behind = True
        self._notify()

    def _end(self) -> None:
        self._ended = True
        self._notify()

    def _notify(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:  # the loop is closed: the page's server is gone
            self._hub._subscriptions.discard(self)


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _event(seq: int, name: str, body: bytes) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, name.encode(), body)


def _changes(state: PageState, tick: PageTick) -> PageTick:
    """The tick without what is as it was."""
    known = cast(Mapping[str, Any], state)
    changes = {key: value for key, value in tick.items() if key in ("placed", "chart") or known[key] != value}
    if "placed" in changes and not (rows := _moved(state["servers"], tick["placed"])):
        del changes["placed"]
    elif "placed" in changes:
        changes["placed"] = rows
    if "chart" in changes and _same_tail(state["chart"], tick["chart"]):
        del changes["chart"]
    return cast(PageTick, changes)


def _moved(servers: Servers, placed: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(server, host) for server, host in placed if servers["host"][server] != host]


def _same_tail(chart: Chart, tail: ChartTail) -> bool:
    now, new = cast(Mapping[str, Any], chart), cast(Mapping[str, Any], tail)
    return all(now[key][tail["at"] :] == column for key, column in new.items() if key != "at")


def _folded(state: PageState, tick: PageTick) -> PageState:
    """The state after the tick, sharing with the old one what did not change."""
    new: dict[str, Any] = {**state, **{key: value for key, value in tick.items() if key not in ("placed", "chart")}}
    if "placed" in tick:
        hosts = list(state["servers"]["host"])
        for server, host in tick["placed"]:
            hosts[server] = host
        new["servers"] = {**state["servers"], "host": hosts}
    if "chart" in tick:
        chart, tail = cast(Mapping[str, Any], state["chart"]), cast(Mapping[str, Any], tick["chart"])
        columns = {key: chart[key][: tail["at"]] + column for key, column in tail.items() if key != "at"}
        new["chart"] = {**state["chart"], **columns}
    return cast(PageState, new)
