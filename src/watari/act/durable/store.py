"""The database that runs live in: opened, brought up to date, and read and written in Watari's own terms."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event

from watari.errors import BadInput, Permanent, Transient

REVISION: Final = "0006"  # of the tables: the newest file in migrations/versions
BUSY_MS: Final = 30_000  # SQLite: how long a writer waits for another
CONNECT_S: Final = 5
IDLE_S: Final = 5  # PostgreSQL: a process that was stopped within a transaction holds its locks for so long at most
LOCK_S: Final = 30  # PostgreSQL: how long a lock is waited for; then it is tried anew, or said
_SQLITE_NOW: Final = "(julianday('now') - 2440587.5) * 86400.0"
_LOCK: Final = 0x57415441  # of PostgreSQL's advisory locks: "WATA", with a hash of what is locked


class Store:
    """One database, SQLite file or PostgreSQL. `url` is SQLAlchemy's; `shown` is it without a password.

    Raises BadInput for a URL that is none, Transient for a server that does not answer, Permanent for a full disk, a
    file that is no database or may not be written.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self.shown = self.url.set(query={}).render_as_string(hide_password=True)  # a query may hold a password, too
        self.is_postgres = self.url.get_backend_name() == "postgresql"
        # SQLite takes one writer at a time: threads queue here, not in its busy loop. With PostgreSQL those do that
        # want the same lock, so that they do not use up the connections.
        self._writing = threading.RLock()
        if not self.is_postgres:
            _make_folder(self.file)
        self.engine = _engine(self.url, self.is_postgres)
        # The lease's own: it must not wait for a connection that others hold while they wait for a lock.
        self._spare = _engine(self.url, True, 1) if self.is_postgres else self.engine
        # The database's clock, in seconds since 1970: all workers' leases are judged by the same one.
        now = "extract(epoch from clock_timestamp())" if self.is_postgres else _SQLITE_NOW
        self.now: sa.ColumnElement[float] = sa.literal_column(now, sa.Float)
        self._bring_up_to_date()

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read with. Errors of the database are raised in Watari's terms."""
        with self.translating(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, alone: str = "", spare: bool = False) -> Iterator[sa.Connection]:
        """A transaction. No other process that names the same `alone` is in one meanwhile; `spare`: for the lease."""
        with self.translating(), self._in_turn(alone), (self._spare if spare else self.engine).begin() as connection:
            if not self.is_postgres:  # what is read first is true until the end, other processes' writes included
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif alone:
                self.lock(connection, alone)
            yield connection

    def lock(self, connection: sa.Connection, name: str) -> None:
        """Within a transaction: wait for those that named this as `alone`. With SQLite the caller is alone anyway."""
        if self.is_postgres:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK, sa.func.hashtext(name))))

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """No other process is within the same `what` meanwhile. With SQLite the caller has the file to itself."""
        if not self.is_postgres:
            yield
            return
        key = (_LOCK, sa.func.hashtext(what))
        with self.translating(), self._spare.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            until = time.monotonic() + LOCK_S
            # Not by waiting: indexes that DBOS makes CONCURRENTLY wait for every statement, also for one that waits.
            while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(*key))):
                if time.monotonic() > until:
                    raise Transient(f"another process has been busy with {what} in {self.shown} for {LOCK_S} s")
                time.sleep(0.1)
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(*key)))

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Whatever the database says is raised in Watari's terms."""
        try:
            yield
        except sa.exc.DBAPIError as e:
            raise self._translated(e) from e
        except sa.exc.TimeoutError as e:  # all connections are in use
            raise Transient(f"the database {self.shown} is busy: {e}") from e

    def close(self) -> None:
        self.engine.dispose()
        self._spare.dispose()

    @contextmanager
    def _in_turn(self, alone: str) -> Iterator[None]:
        if self.is_postgres and not alone:
            yield
            return
        with self._writing:
            yield

    def _bring_up_to_date(self) -> None:
        with self.reading() as connection:
            found = sa.inspect(connection).has_table("watari_version")
            at = connection.scalar(sa.text("select version_num from watari_version")) if found else None
        if at == REVISION:
            return
        if at is not None and at > REVISION:
            raise BadInput(
                f"{self.shown} was made by a newer Watari (tables {at}, this one knows {REVISION}): upgrade Watari"
            )
        from alembic import command  # a sixth of a second that a database which is up to date need not wait for
        from alembic.config import Config

        with self.writing(alone="tables") as connection:  # two workers at first start: the second finds everything made
            config = Config()
            config.set_main_option("script_location", "watari.act.durable:migrations")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _translated(self, e: "sa.exc.DBAPIError") -> Exception:
        text = str(e.orig).strip().splitlines()[0] if e.orig else str(e)
        if self.is_postgres:
            if isinstance(e, sa.exc.OperationalError | sa.exc.InterfaceError) or e.connection_invalidated:
                if "authentication failed" in text or "no password supplied" in text or "does not exist" in text:
                    return BadInput(f"{self.shown}: {text}")
                return Transient(f"the database {self.shown} does not answer: {text}")
            # Class 25 of PostgreSQL's errors: a transaction that was cut off, a server that became a standby.
            again = isinstance(e, sa.exc.InternalError)
            return Transient(f"{self.shown}: {text}") if again else Permanent(f"{self.shown}: {text}")
        if "full" in text:
            return Permanent(f"{self.file}: the disk is full; free space, then go on with `watari runs resume`")
        if "not a database" in text or "malformed" in text:
            return BadInput(f"{self.file}: {text}; move it away, or name another with --database")
        if "readonly" in text or "unable to open" in text:
            return Permanent(f"{self.file}: {text}; check its permissions, or name another with --database")
        again = isinstance(e, sa.exc.OperationalError)
        return Transient(f"{self.file}: {text}") if again else Permanent(f"{self.file}: {text}")


def budgets_of(cloud: str) -> str:
    """What is locked while it is judged whether something may begin on a cloud."""
    return f"budgets of {cloud}"


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return sa.URL.create("sqlite", database=str(path)).render_as_string()


def _parsed(url: str) -> sa.URL:
    if "://" not in url:
        return sa.URL.create("sqlite", database=str(Path(url).expanduser().absolute()))
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise BadInput("the database's URL cannot be read; use postgresql://USER:PASSWORD@HOST/NAME") from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return parsed
    raise BadInput(f"{parsed.drivername} is no database for Watari: use a SQLite file's path or postgresql://...")


def _engine(url: sa.URL, postgres: bool, connections: int = 20) -> sa.Engine:
    if postgres:
        args: dict[str, Any] = {"connect_timeout": CONNECT_S, "application_name": "watari"}
        args["options"] = f"-c idle_in_transaction_session_timeout={IDLE_S}s -c lock_timeout={LOCK_S}s"
        return sa.create_engine(
            url, connect_args=args, pool_size=connections, max_overflow=connections, pool_pre_ping=True
        )
    engine = sa.create_engine(url, pool_size=20, max_overflow=60)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        # DBOS's transactions take the write lock with their first write; WAL lets readers go on meanwhile.
        connection.isolation_level = "IMMEDIATE"
        for pragma in (f"busy_timeout={BUSY_MS}", "foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(file.parent, os.W_OK):
            raise PermissionError(errno.EACCES, "Permission denied")
    except OSError as e:
        raise Permanent(f"cannot keep runs in {file}: {e.strerror or e}; name another place with --database") from e
