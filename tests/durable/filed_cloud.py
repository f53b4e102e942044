"""A cloud in a file, shared by the processes of a test: what it was asked for outlives whoever asked.

Not a simulator: servers move after a set time of the wall clock, and every request is kept, so that a test can count
whether one was made twice.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from watari.errors import Refused
from watari.model.compute import Flight, Host, HostName, Server, ServerId, ZoneName
from watari.ports import Inventory, Migration, MigrationId, MigrationKind

TABLES = """
create table servers (id text primary key, host text not null);
create table hosts (name text primary key, state text not null, note text not null);
create table migrations (id integer primary key, server text, source text, target text, started real, ends real,
                         status text not null);
"""


def make(path: Path, servers: dict[str, str], hosts: list[str]) -> None:
    """A new cloud; `servers` says where each is."""
    with sqlite3.connect(path) as c:
        c.execute("pragma journal_mode=wal")
        c.executescript(TABLES)
        c.executemany("insert into servers values (?, ?)", servers.items())
        c.executemany("insert into hosts values (?, 'up', '')", [(h,) for h in hosts])


class FiledCloud:
    """Compute and Clock. A move takes `move_s`; those of `failing` end where they began."""

    def __init__(self, path: Path, move_s: float = 0.1, failing: frozenset[str] = frozenset()) -> None:
        self.path, self.move_s, self.failing = path, move_s, failing

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def locate(self, server: ServerId) -> Server | None:
        with self._open() as c:
            row = c.execute("select host from servers where id = ?", (server,)).fetchone()
            moving = c.execute("select 1 from migrations where server = ? and status = 'memory'", (server,)).fetchone()
        if row is None:
            return None
        return Server(server, server, HostName(row[0]), 1, 512, status="MIGRATING" if moving else "ACTIVE")

    def host(self, name: HostName) -> Host | None:
        with self._open() as c:
            row = c.execute("select state, note from hosts where name = ?", (name,)).fetchone()
        return None if row is None else Host(name, ZoneName("az1"), 64, 10**6, 10**6, state=row[0], state_note=row[1])

    def inventory(self) -> Inventory:
        with self._open() as c:
            ids = [row[0] for row in c.execute("select id from servers")]
            names = [row[0] for row in c.execute("select name from hosts")]
        hosts = {HostName(n): host for n in names if (host := self.host(HostName(n)))}
        servers = {ServerId(i): server for i in ids if (server := self.locate(ServerId(i)))}
        return Inventory("filed", hosts, servers, {}, self.flights(), ())

    def flights(self) -> tuple[Flight, ...]:
        with self._open() as c:
            rows = c.execute(
                "select server, source, target, started from migrations where status = 'memory'"
            ).fetchall()
        return tuple(Flight(ServerId(s), HostName(a), HostName(b), _at(t)) for s, a, b, t in rows)

    def start_live_migration(
        self, server: ServerId, target: HostName, bandwidth_mib_s: float | None = None
    ) -> MigrationId:
        with self._open() as c:
            row = c.execute("select host from servers where id = ?", (server,)).fetchone()
            busy = c.execute("select 1 from migrations where server = ? and status = 'memory'", (server,)).fetchone()
            if row is None or busy or row[0] == target:
                raise Refused(f"409: {server} {'is being moved' if busy else 'cannot be moved'}")
            at = time.time()
            made = (server, row[0], target, at, at + self.move_s)
            sql = "insert into migrations (server, source, target, started, ends, status) values (?, ?, ?, ?, ?, 'memory')"
            return MigrationId(str(c.execute(sql, made).lastrowid))

    def start_cold_migration(self, server: ServerId, target: HostName) -> MigrationId:
        raise Refused("this cloud only moves live")

    def start_evacuation(self, server: ServerId, target: HostName | None = None) -> MigrationId:
        raise Refused("this cloud only moves live")

    def migration(self, id: MigrationId) -> Migration:
        with self._open() as c:
            row = c.execute("select * from migrations where id = ?", (int(id),)).fetchone()
        if row is None:
            raise Refused(f"no migration {id}")
        return _migration(row)

    def find_migration(
        self, server: ServerId, target: HostName, since: datetime, kind: MigrationKind = "live"
    ) -> Migration | None:
        wanted = "select * from migrations where server = ? and target = ? and started >= ? order by id desc"
        with self._open() as c:
            row = c.execute(wanted, (server, target, since.timestamp())).fetchone()
        return None if row is None else _migration(row)

    def abort_migration(self, id: MigrationId) -> None:
        with self._open() as c:
            sql = "update migrations set status = 'aborted' where id = ? and status = 'memory'"
            if not c.execute(sql, (int(id),)).rowcount:
                raise Refused(f"migration {id} is over")

    def confirm_migration(self, id: MigrationId) -> None:
        raise Refused("this cloud only moves live")

    def revert_migration(self, id: MigrationId) -> None:
        raise Refused("this cloud only moves live")

    def disable_host(self, host: HostName, reason: str) -> None:
        with self._open() as c:
            c.execute("update hosts set state = 'disabled', note = ? where name = ?", (reason, host))

    def enable_host(self, host: HostName) -> None:
        with self._open() as c:
            c.execute("update hosts set state = 'up', note = '' where name = ?", (host,))

    def requests(self) -> list[tuple[str, str]]:
        """Every move that was ever accepted: server and target."""
        with self._open() as c:
            return c.execute("select server, target from migrations order by id").fetchall()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction; what is due by now happens first."""
        c = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            c.execute("begin immediate")
            due = "select id, server, target from migrations where status = 'memory' and ends <= ?"
            for id, server, target in c.execute(due, (time.time(),)).fetchall():
                failed = server in self.failing
                c.execute("update migrations set status = ? where id = ?", ("failed" if failed else "done", id))
                if not failed:
                    c.execute("update servers set host = ? where id = ?", (target, server))
            yield c
            c.execute("commit")
        finally:
            c.close()


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _migration(row: tuple[int, str, str, str, float, float, str]) -> Migration:
    id, server, source, target, started, ends, status = row
    share = min(1.0, max(0.0, (time.time() - started) / max(ends - started, 1e-6)))
    names = ServerId(server), HostName(source), HostName(target)
    return Migration(MigrationId(str(id)), *names, _at(started), status, 512 * share, 512.0)  # type: ignore[arg-type]


LONG_AGO = timedelta(days=1)
