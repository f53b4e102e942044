"""Start services side by side, wait for each, stop them in order; what fails is told and leaves nothing running."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from watari.lab.clouds import UNREACHABLE, heard_from_since
from watari.lab.command import end_commands
from watari.lab.nova import DOWN_S, ZYGOTE, compute_service
from watari.lab.services import APIS, BASE, METERS, Services

Say = Callable[[str], None]
COMPUTES_S = 90.0
COMPUTE_S = 3.0  # more for each: they start on the same few cores


class Bringup:
    """One start of a lab: knows what it started, so that it can take that back."""

    def __init__(self, services: Services, say: Say) -> None:
        self._services, self._say = services, say
        self._began = time.monotonic()
        self._wall = time.time()
        self._cancelled = threading.Event()
        self.started: list[str] = []

    def start(self, names: Iterable[str]) -> None:
        for name in names:
            if self._services.start(name):
                self.started.append(name)

    @property
    def forked(self) -> tuple[str, ...]:
        """Nova's daemons."""
        return self._services.forked

    def stop(self, name: str) -> None:
        """Stop a service that this start has started, to start it again."""
        self._services.stop(name)
        self.started.remove(name)

    def wait(self, names: Sequence[str]) -> None:
        """Wait for services side by side, saying those that this start started. Raises Failed for the first to fail."""

        def one(name: str) -> None:
            self._services.wait(name, self._cancelled.is_set)
            if name in self.started and not self._cancelled.is_set():
                self.said(name)

        self.together([(lambda name=name: one(name)) for name in names])  # type: ignore[misc]

    def together(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run jobs side by side; the first error ends the wait and is raised."""
        with ThreadPoolExecutor(max(1, len(jobs))) as pool:
            futures: list[Future[None]] = [pool.submit(job) for job in jobs]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                self._cancelled.set()
                end_commands()
                raise

    def computes_up(self) -> None:
        """Wait until Nova hears from all compute hosts: anew, if this start started anything. Raises Failed."""
        place = self._services.place
        hosts = set(place.spec.hosts)
        since = self._wall if self.started else self._wall - DOWN_S
        end = time.monotonic() + COMPUTES_S + COMPUTE_S * len(hosts)
        while True:
            try:
                missing = hosts - heard_from_since(place, since)
            except UNREACHABLE:
                missing = hosts  # the API is there and what it needs is not yet
            if not missing:
                if self.started:
                    self.said(f"{len(hosts)} compute hosts")
                return
            for name in (*map(compute_service, sorted(missing)), "nova-conductor", "nova-scheduler"):
                if self._services.gone(name):
                    raise self._services.failure(name, "ended")
            if time.monotonic() > end:
                raise self._services.failure(compute_service(min(missing)), "does not report to Nova")
            time.sleep(0.3)

    def roll_back(self) -> None:
        """Stop what this start started, also while Ctrl-C is pressed again."""
        self._cancelled.set()
        if not self.started:
            return
        self._say("stopping what was started")
        in_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
        try:
            stop_all(self._services, self.started)
        finally:
            if in_main:
                signal.signal(signal.SIGINT, before)

    def said(self, what: str) -> None:
        self._say(f"{what:<22} {time.monotonic() - self._began:6.1f} s")


def stop_all(services: Services, names: Iterable[str]) -> None:
    """Stop services, those first that need the others."""
    chosen = set(names)
    stages = (services.forked, (ZYGOTE, *METERS), APIS, BASE[1:], BASE[:1])
    for stage in stages:
        members = [name for name in stage if name in chosen]
        if members:
            with ThreadPoolExecutor(len(members)) as pool:
                list(pool.map(services.stop, members))
