"""Ask many hosts at once, each in a thread of its own; one that hangs holds up nobody but itself."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from watari.errors import Transient, WatariError
from watari.model.compute import HostName

AT_ONCE: Final = 32
AGAIN_S, MOST_S = 60.0, 600.0
T = TypeVar("T")


@dataclass(slots=True)
class Asking:
    """Each host is asked in a thread that nobody waits for longer than `timeout_s`.

    libvirt's calls cannot be taken back: one that hangs keeps its thread. Its host is not asked again before that ends
    or `again_s` have passed, then twice as long, up to MOST_S: a call to a daemon that was reset meanwhile never ends.
    """

    timeout_s: float
    at_once: int = AT_ONCE
    again_s: float = AGAIN_S
    _hanging: dict[HostName, tuple[float, list[threading.Thread]]] = field(default_factory=dict)  # since when

    def all(self, hosts: Iterable[HostName], ask: Callable[[HostName], T]) -> dict[HostName, T | WatariError]:
        """What `ask` answers, or why there is no answer, of each host. Any other error than Watari's is raised."""
        answers: dict[HostName, T | WatariError] = {}
        done: queue.SimpleQueue[tuple[HostName, T | Exception]] = queue.SimpleQueue()
        begun: dict[HostName, tuple[float, threading.Thread]] = {}  # oldest first
        waiting = deque(hosts)
        while waiting or begun:
            while waiting and len(begun) < self.at_once:
                host = waiting.popleft()
                if self._hangs(host):
                    answers[host] = self._too_slow(host)
                    continue
                thread = threading.Thread(target=_run, args=(ask, host, done), daemon=True, name=f"ask-{host}")
                begun[host] = time.monotonic(), thread
                thread.start()
            if not begun:
                continue
            oldest, (since, thread) = next(iter(begun.items()))
            try:
                host, answer = done.get(timeout=max(0.0, since + self.timeout_s - time.monotonic()))
            except queue.Empty:
                host, answer = oldest, self._too_slow(oldest)
                self._hanging[host] = time.monotonic(), [*self._hanging.get(host, (0.0, []))[1], thread]
            if begun.pop(host, None) is None:  # it answers after all, too late
                continue
            if isinstance(answer, Exception) and not isinstance(answer, WatariError):
                raise answer
            answers[host] = answer
        return answers

    def one(self, host: HostName, ask: Callable[[HostName], T]) -> T:
        """What it answers. Raises Transient after `timeout_s`: nobody knows then whether it heard what was asked."""
        answer = self.all([host], ask)[host]
        if isinstance(answer, WatariError):
            raise answer
        return answer

    def _hangs(self, host: HostName) -> bool:
        """Whether it is too early to ask a host again that has not answered."""
        since, threads = self._hanging.get(host, (0.0, []))
        alive = [thread for thread in threads if thread.is_alive()]
        if not alive:
            self._hanging.pop(host, None)
            return False
        self._hanging[host] = since, alive
        return time.monotonic() < since + min(self.again_s * 2.0 ** (len(alive) - 1), MOST_S)

    def _too_slow(self, host: HostName) -> Transient:
        return Transient(f"{host} has not answered for {self.timeout_s:.0f} s")


def _run(
    ask: Callable[[HostName], T], host: HostName, done: "queue.SimpleQueue[tuple[HostName, T | Exception]]"
) -> None:
    try:
        done.put((host, ask(host)))
    except Exception as e:  # told in the thread that asked
        done.put((host, e))
