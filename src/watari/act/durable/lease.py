"""Proof that a process is alive: a row that it renews, and a watch that ends the process when it cannot."""

import errno
import fcntl
import logging
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, NoReturn

import sqlalchemy as sa

from watari.act.durable.store import Store
from watari.act.durable.tables import leases
from watari.errors import Busy, Permanent, WatariError

log = logging.getLogger(__name__)
FENCED = 75  # exit code of a process that lost its lease (EX_TEMPFAIL)
TTL_S = float(os.environ.get("WATARI_LEASE_S", "15"))  # others take over after this; the owner ends itself before


class Lost(Exception):
    """The operation is another process's by now, or nobody's: leave it alone."""


def die(why: str) -> NoReturn:
    """End at once: nothing may be asked for or written down any more."""
    sys.stderr.write(f"watari: {why}; ended. What it carried out goes on elsewhere, or with `watari runs resume`\n")
    sys.stderr.flush()
    os._exit(FENCED)


class Lease:
    """One row per live process. A row that is gone is a dead process, for everybody and for ever.

    The executor's name is new at every start: a paused owner of a re-used name would wake up as somebody else. With
    SQLite a file lock proves that this is the only worker, for as long as it lives, however long it was stopped.
    """

    def __init__(self, store: Store, ttl_s: float = TTL_S, on_loss: Callable[[str], NoReturn] = die) -> None:
        self.store, self.ttl_s, self.beat_s = store, ttl_s, ttl_s / 6
        self.executor = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._on_loss = on_loss
        self._until = 0.0
        self._file: IO[bytes] | None = None
        self._released = threading.Event()

    def take(self) -> None:
        """Write the row and begin to renew it. Raises Busy when another process holds the SQLite file."""
        if not self.store.is_postgres:
            self._lock_file()
        about = f"{socket.gethostname()} pid {os.getpid()}"
        begun = _monotonic()
        with self.store.writing(spare=True) as c:
            if not self.store.is_postgres:  # the file's lock proves that all others are dead
                c.execute(leases.delete())
            c.execute(leases.insert().values(executor=self.executor, renewed=self.store.now, about=about))
        self._until = begun + self.ttl_s - 2 * self.beat_s
        threading.Thread(target=self._beat, daemon=True, name="lease").start()
        if self.store.is_postgres:
            threading.Thread(target=self._watch, daemon=True, name="fence").start()

    def alive(self) -> bool:
        """Whether nobody can have taken over yet. Needs no database."""
        return not self._released.is_set() and (not self.store.is_postgres or _monotonic() < self._until)

    def check(self) -> None:
        """Ends the process if the lease may have run out. Raises Lost once it was given back."""
        if self._released.is_set():
            raise Lost("this process ends")
        if not self.alive():
            self._on_loss("its lease on the database ran out")

    def release(self) -> None:
        """Give the row back, so that others need not wait for it to run out. Nothing may be under way here any more."""
        self._released.set()
        try:
            with self.store.writing(spare=True) as c:
                c.execute(leases.delete().where(leases.c.executor == self.executor))
        except WatariError as e:
            log.warning("the lease could not be given back: %s", e)
        if self._file is not None:
            self._file.close()

    def _lock_file(self) -> None:
        path = self.store.file.with_name(self.store.file.name + ".lock")
        try:
            self._file = path.open("ab", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file.truncate(0)
            self._file.write(b"%d\n" % os.getpid())
        except BlockingIOError:
            raise Busy(
                f"another watari (pid {_content(path) or 'unknown'}) works with {self.store.file}; wait for it, watch "
                "it with `watari runs list`, or use PostgreSQL (--database postgresql://...), where several share the "
                "work"
            ) from None
        except OSError as e:
            if e.errno != errno.ENOSPC:  # that says the database, in its own words, as soon as it matters
                raise Permanent(f"{path}: {e.strerror or e}; name another place with --database") from e

    def _beat(self) -> None:
        while not self._released.wait(self.beat_s):
            try:
                if not self._renew() and not self._released.is_set():
                    self._on_loss("its lease on the database was taken away")
            except WatariError as e:
                log.warning("the lease could not be renewed: %s", e)

    def _renew(self) -> bool:
        begun = _monotonic()
        with self.store.writing(spare=True) as c:
            row = leases.update().where(leases.c.executor == self.executor).values(renewed=self.store.now)
            if not c.execute(row).rowcount:
                return False
        self._until = begun + self.ttl_s - 2 * self.beat_s
        return True

    def _watch(self) -> None:
        while not self._released.wait(min(0.2, self.beat_s / 2)):
            if not self.alive() and not self._released.is_set():
                self._on_loss("its lease on the database ran out")


def bury(store: Store, ttl_s: float = TTL_S) -> set[str]:
    """Delete the leases that ran out; returns the executors that are alive. A process leases before it works.

    With SQLite the file's lock tells who lives: a lease that ran out there is that of a process that was stopped.
    """
    with store.writing() if store.is_postgres else store.reading() as c:
        if store.is_postgres:
            c.execute(leases.delete().where(leases.c.renewed < store.now - ttl_s))
        return set(c.execute(sa.select(leases.c.executor)).scalars())


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def _monotonic() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)  # goes on while the machine sleeps
