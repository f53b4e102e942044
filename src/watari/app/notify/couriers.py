"""Deliver what waits in the database: a thread per target, so that one that is slow keeps no other waiting."""

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

import requests
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_when_event_set,
    wait_exponential,
    wait_random,
)
from tenacity.nap import sleep_using_event

from watari.act.durable.notices import Message, delivered, give_up, oldest
from watari.act.durable.store import Store
from watari.app.notify.sending import ANSWER_S, Later, send
from watari.app.notify.targets import DAY_S, Target
from watari.errors import BadInput, Refused, Transient, WatariError
from watari.model.reasons import Finding
from watari.plan.text import count

log = logging.getLogger(__name__)
DOWN: Final = 3  # failures in a row, and a target counts as down


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is asked; seconds. Tests are quicker."""

    look_s: float = 5.0  # between two looks for messages that another process has left
    first_s: float = 1.0  # from the first failure to the next try; it doubles
    most_s: float = 300.0
    answer_s: float = ANSWER_S
    give_up_s: float = DAY_S  # a message that is older is not delivered any more


PACE: Final = Pace()


class Targets(Protocol):
    """The targets as they are now; the file may change meanwhile."""

    @property
    def targets(self) -> tuple[Target, ...]: ...


class Couriers:
    """The threads. `look` from time to time: targets come and go. They end once `ended` is set and `wake` called."""

    def __init__(self, store: Store, executor: str, file: Targets, ended: threading.Event, pace: Pace = PACE) -> None:
        self._store, self._executor, self._file, self._ended, self._pace = store, executor, file, ended, pace
        self._couriers: dict[str, Courier] = {}
        self._seen: tuple[Target, ...] = ()

    def look(self) -> None:
        """Follow the file: a courier for each of its targets; whoever has failed tries a changed one at once."""
        if (targets := self._file.targets) != self._seen:
            self._seen = targets
            for courier in self._couriers.values():
                courier.hurry()
        for target in targets:
            known = self._couriers.get(target.name)
            if known is None or not known.thread.is_alive():
                new = Courier(target.name, self._store, self._executor, self._file, self._ended, self._pace)
                self._couriers[target.name] = new
                new.thread.start()

    def wake(self, names: Iterable[str]) -> None:
        """Messages were written down for these targets."""
        for courier in [self._couriers[name] for name in names if name in self._couriers]:
            courier.news.set()

    def findings(self, cloud: str) -> tuple[Finding, ...]:
        """Targets of that cloud that are down."""
        about = {target.name for target in self._file.targets if target.looks_at(cloud)}
        return tuple(
            Finding(name, "notify", problem, "warning", f"Try it: watari notify test FILE --target {name}")
            for name, courier in sorted(self._couriers.items())
            if name in about and (problem := courier.problem)
        )

    def end(self, patience_s: float) -> None:
        """Wait for what is being delivered; what is not is left to the next controller."""
        self._ended.set()
        until = time.monotonic() + patience_s
        for courier in self._couriers.values():
            courier.hurry()
        for courier in self._couriers.values():
            courier.thread.join(max(0.0, until - time.monotonic()))


@dataclass(slots=True)
class Courier:
    """Delivers to one target, the oldest message first, until the target is gone from the file."""

    name: str
    store: Store
    executor: str
    file: Targets
    ended: threading.Event
    pace: Pace
    news: threading.Event = field(default_factory=threading.Event)
    problem: str = ""  # as people are told, once it is down
    thread: threading.Thread = field(init=False)
    _failures: int = 0  # in a row
    _given_up: int = 0  # messages, since the last one that arrived
    _since: datetime | None = None
    _changed: threading.Event = field(default_factory=threading.Event)
    _session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._work, daemon=True, name=f"notify-{self.name}")

    def hurry(self) -> None:
        """What has failed is tried at once."""
        self._changed.set()
        self.news.set()

    def _work(self) -> None:
        backoff = wait_exponential(self.pace.first_s, self.pace.most_s) + wait_random(0, self.pace.first_s)

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(backoff(state), min(getattr(error, "after_s", 0.0), self.pace.give_up_s))

        again = Retrying(
            retry=retry_if_exception_type(Transient), wait=pause, stop=stop_when_event_set(self.ended),
            sleep=sleep_using_event(self._changed), reraise=True,
        )  # fmt: skip
        while not self.ended.is_set() and self._target() is not None:
            self.news.clear()
            try:
                while again(self._deliver_one) and not self.ended.is_set():
                    pass
            except Transient:  # it ends; what is left the next controller delivers
                pass
            except WatariError as e:  # of the database
                log.warning("notifications to %s: %s", self.name, e)
            except Exception:  # the outermost loop of this thread: a bug must not end it without a word
                log.exception("notifications to %s", self.name)
            self.news.wait(self.pace.look_s)

    def _target(self) -> Target | None:
        return next((target for target in self.file.targets if target.name == self.name), None)

    def _deliver_one(self) -> bool:
        """Deliver the oldest message; False if none waits. Raises Transient when it did not arrive."""
        self._changed.clear()  # before anything is read: a file that changes meanwhile is followed at once
        if self.ended.is_set():
            return False
        target, message = self._target(), oldest(self.store, self.name, self.executor)
        if target is None or message is None:
            return False
        if message.age_s > self.pace.give_up_s:
            self._give_up(message, "it is too old")
            return True
        try:
            send(target, message.body, self._session, self.pace.answer_s)
        except Refused as e:
            self._give_up(message, str(e))
            self._failed(str(e), DOWN)
            return True
        except BadInput as e:
            self._failed(str(e))
            raise Later(str(e)) from None
        except Transient as e:
            self._failed(str(e))
            raise
        delivered(self.store, message)
        self._arrived()
        return True

    def _failed(self, why: str, times: int = 1) -> None:
        if self._failures < DOWN <= self._failures + times:
            log.warning("notifications to %s do not arrive: %s", self.name, why)
        self._failures += times
        self._since = self._since or datetime.now(UTC)
        if self._failures >= DOWN:
            lost = f"; {count(self._given_up, 'message')} given up" if self._given_up else ""
            self.problem = f"is told nothing since {self._since:%Y-%m-%d %H:%M} UTC: {why}{lost}"

    def _give_up(self, message: Message, why: str) -> None:
        give_up(self.store, message)
        self._given_up += 1
        log.warning("a message to %s is given up: %s", self.name, why)

    def _arrived(self) -> None:
        if self.problem:
            log.warning("notifications to %s arrive again", self.name)
        self._failures, self._given_up, self._since, self.problem = 0, 0, None, ""
