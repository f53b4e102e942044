"""A cloud in a file, shared by the processes of a test: what it was asked for outlives whoever asked.

Not a simulator: servers move after a set time, and every request is kept, so that a test can count whether one was made
twice. Its clock may go faster than the wall's. What goes wrong is in a table, so that it goes wrong for every process.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from watari.errors import Refused, Transient
from watari.model.compute import Flight, Host, HostName, Server, ServerId, ZoneName
from watari.ports import Inventory, Migration, MigrationId, MigrationKind, Style

TABLES = """
create table settings (begun real, speed real, move_s real);
create table servers (id text primary key, host text not null);
create table hosts (name text primary key, state text not null, note text not null);
create table migrations (id integer primary key, server text, source text, target text, started real, ends real,
                         status text not null);
create table calls (n integer primary key, verb text, subject text, answer text);
create table faults (verb text, subject text, kind text, left integer, primary key (verb, subject));
"""
NEVER = 1e12


@dataclass(frozen=True, slots=True)
class Call:
    """A request for a change, and what was answered: ok, refused, away (not heard), lost (heard)."""

    verb: str
    subject: str
    answer: str


def make(path: Path, servers: dict[str, str], hosts: list[str], *, move_s: float = 0.1, speed: float = 1.0) -> None:
    """A new cloud; `servers` says where each is. A move takes `move_s` of its own time, `speed` times the wall's."""
    with sqlite3.connect(path) as c:
        c.execute("pragma journal_mode=wal")
        c.executescript(TABLES)
        c.execute("insert into settings values (?, ?, ?)", (time.time(), speed, move_s))
        c.executemany("insert into servers values (?, ?)", servers.items())
        c.executemany("insert into hosts values (?, 'up', '')", [(h,) for h in hosts])


class FiledCloud:
    """Compute and Clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with sqlite3.connect(path) as c:
            settings: tuple[float, float, float] = c.execute("select * from settings").fetchone()
        self._begun, self.speed, self.move_s = settings

    def break_(self, verb: str, kind: str, times: int = 1, subject: str = "*") -> None:
        """The next calls of `verb` go wrong.

        away: not heard · lost: heard, no answer · refused · ignored: heard, nothing follows · late: no answer, heard
        only just before the next request · never: the move never ends · fails: it ends where it began · bug: none of
        ours.
        """
        with self._open() as c:
            c.execute("insert or replace into faults values (?, ?, ?, ?)", (verb, subject, kind, times))

    def arrive(self, server: str) -> None:
        """A move that would never end is over at once."""
        with self._open() as c:
            c.execute("update migrations set ends = ? where server = ? and status = 'memory'", (self._now(), server))

    def now(self) -> datetime:
        return _at(self._now())

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.speed)

    def locate(self, server: ServerId) -> Server | None:
        with self._call("locate", server) as c:
            row = c.execute("select host from servers where id = ?", (server,)).fetchone()
            moving = c.execute("select 1 from migrations where server = ? and status = 'memory'", (server,)).fetchone()
        if row is None:
            return None
        return Server(server, server, HostName(row[0]), 1, 512, status="MIGRATING" if moving else "ACTIVE")

    def host(self, name: HostName) -> Host | None:
        with self._call("host", name) as c:
            row = c.execute("select state, note from hosts where name = ?", (name,)).fetchone()
        return None if row is None else Host(name, ZoneName("az1"), 64, 10**6, 10**6, state=row[0], state_note=row[1])

    def inventory(self) -> Inventory:
        with self._open() as c:
            servers = c.execute("select id, host from servers").fetchall()
            names = [row[0] for row in c.execute("select name from hosts")]
        hosts = {HostName(n): Host(HostName(n), ZoneName("az1"), 64, 10**6, 10**6) for n in names}
        made = {ServerId(i): Server(ServerId(i), i, HostName(h), 1, 512) for i, h in servers}
        return Inventory("filed", hosts, made, {}, self.flights(), ())

    def flights(self) -> tuple[Flight, ...]:
        with self._open() as c:
            sql = "select server, source, target, started from migrations where status = 'memory'"
            rows = c.execute(sql).fetchall()
        return tuple(Flight(ServerId(s), HostName(a), HostName(b), _at(t)) for s, a, b, t in rows)

    limits_moves = False

    def force_migration(self, id: MigrationId) -> None:
        raise Refused("this cloud hastens nothing")

    def limit_migration(self, id: MigrationId, mib_s: float) -> None:
        """Nothing."""

    def start_live_migration(
        self, server: ServerId, target: HostName, bandwidth_mib_s: float | None = None, style: Style | None = None
    ) -> MigrationId:
        with self._call("start", server, change=True) as c:
            self._surface(c, server)
            row = c.execute("select host from servers where id = ?", (server,)).fetchone()
            busy = c.execute("select 1 from migrations where server = ? and status = 'memory'", (server,)).fetchone()
            if row is None or busy or row[0] == target:
                raise Refused(f"409: {server} {'is being moved' if busy else 'cannot be moved'}")
            at, kind = self._now(), c.fault  # type: ignore[attr-defined]
            ends = NEVER if kind in ("never", "late") else at + self.move_s
            made = (server, row[0], target, at, ends, {"late": "unheard", "fails": "failing"}.get(kind, "memory"))
            sql = "insert into migrations (server, source, target, started, ends, status) values (?, ?, ?, ?, ?, ?)"
            return MigrationId(str(c.execute(sql, made).lastrowid))

    def start_cold_migration(self, server: ServerId, target: HostName) -> MigrationId:
        raise Refused("this cloud only moves live")

    def start_evacuation(self, server: ServerId, target: HostName | None = None) -> MigrationId:
        raise Refused("this cloud only moves live")

    def migration(self, id: MigrationId) -> Migration:
        with self._call("migration", id) as c:
            row = c.execute("select * from migrations where id = ?", (int(id),)).fetchone()
        if row is None:
            raise Refused(f"no migration {id}")
        return self._migration(row)

    def find_migration(
        self, server: ServerId, target: HostName, since: datetime, kind: MigrationKind = "live"
    ) -> Migration | None:
        wanted = "select * from migrations where server = ? and target = ? and started >= ? and status != 'unheard'"
        with self._call("find", server) as c:
            row = c.execute(wanted + " order by id desc", (server, target, since.timestamp())).fetchone()
        return None if row is None else self._migration(row)

    def abort_migration(self, id: MigrationId) -> None:
        with self._call("abort", id, change=True) as c:
            if c.fault == "ignored":  # type: ignore[attr-defined]
                return
            sql = "update migrations set status = 'aborted', ends = ? where id = ? and status in ('memory', 'failing')"
            if not c.execute(sql, (self._now(), int(id))).rowcount:
                raise Refused(f"migration {id} is over")

    def confirm_migration(self, id: MigrationId) -> None:
        raise Refused("this cloud only moves live")

    def revert_migration(self, id: MigrationId) -> None:
        raise Refused("this cloud only moves live")

    def disable_host(self, host: HostName, reason: str) -> None:
        with self._call("disable", host, change=True) as c:
            c.execute("update hosts set state = 'disabled', note = ? where name = ?", (reason, host))

    def enable_host(self, host: HostName) -> None:
        with self._call("enable", host, change=True) as c:
            c.execute("update hosts set state = 'up', note = '' where name = ?", (host,))

    def calls(self, *verbs: str) -> list[Call]:
        """Every request for a change, in order, whatever came of it."""
        with self._open() as c:
            rows = c.execute("select verb, subject, answer from calls order by n").fetchall()
        return [Call(*row) for row in rows if not verbs or row[0] in verbs]

    def moves(self) -> list[tuple[str, str, str, float, float]]:
        """Every move that was ever accepted: server, source, target, begin and end by the cloud's clock."""
        with self._open() as c:
            return c.execute("select server, source, target, started, ends from migrations order by id").fetchall()

    @contextmanager
    def _call(self, verb: str, subject: str, *, change: bool = False) -> Iterator[sqlite3.Connection]:
        """A call that may go wrong; requests for changes are kept, with their answers."""
        with self._open() as c:
            kind = c.fault = self._fault(c, verb, subject)
            if kind == "bug":
                raise ZeroDivisionError("of the test")
            answer = kind if kind in ("away", "lost", "late", "refused") else "ok"
            error: Refused | Transient | None = None
            if kind == "refused":
                error = Refused(f"403: {verb} {subject}")
            elif kind in ("away", "lost", "late"):
                error = Transient(f"503: {verb} {subject}")
            if kind in ("away", "refused"):
                self._keep(c, change, verb, subject, answer)
                c.execute("commit")
                assert error is not None
                raise error
            try:
                yield c
            except Refused:
                c.execute("rollback")
                c.execute("begin immediate")
                self._keep(c, change, verb, subject, "refused")
                c.execute("commit")
                raise
            self._keep(c, change, verb, subject, answer)
        if error is not None:
            raise error

    def _surface(self, c: sqlite3.Connection, server: str) -> None:
        late = "update migrations set status = 'memory', started = ?, ends = ? where server = ? and status = 'unheard'"
        c.execute(late, (self._now(), self._now() + self.move_s, server))
        c.execute("commit")
        c.execute("begin immediate")

    def _fault(self, c: sqlite3.Connection, verb: str, subject: str) -> str:
        row = c.execute(
            "select rowid, kind from faults where verb = ? and subject in (?, '*') and left > 0", (verb, subject)
        ).fetchone()
        if row is None:
            return ""
        c.execute("update faults set left = left - 1 where rowid = ?", (row[0],))
        return str(row[1])

    def _keep(self, c: sqlite3.Connection, change: bool, verb: str, subject: str, answer: str) -> None:
        if change:
            c.execute("insert into calls (verb, subject, answer) values (?, ?, ?)", (verb, subject, answer))

    def is_free(self) -> bool:
        """Whether no process is within a call, nor closing the file after one."""
        with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as c:
            try:
                c.execute("begin immediate")
            except sqlite3.OperationalError:
                return False
            return True

    @contextmanager
    def _open(self) -> Iterator["_Connection"]:
        """One transaction; what is due by now happens first."""
        c = sqlite3.connect(self.path, timeout=30, isolation_level=None, factory=_Connection)
        try:
            c.execute("pragma synchronous=off")
            c.execute("begin immediate")
            now = self._now()
            due = (
                "select id, server, target, status from migrations where status in ('memory', 'failing') and ends <= ?"
            )
            for id, server, target, status in c.execute(due, (now,)).fetchall():
                word = "failed" if status == "failing" else "done"
                c.execute("update migrations set status = ? where id = ?", (word, id))
                if word == "done":
                    c.execute("update servers set host = ? where id = ?", (target, server))
            yield c
            if c.in_transaction:
                c.execute("commit")
        finally:
            c.close()

    def _now(self) -> float:
        return self._begun + (time.time() - self._begun) * self.speed

    def _migration(self, row: tuple[int, str, str, str, float, float, str]) -> Migration:
        id, server, source, target, started, ends, status = row
        word = "memory" if status == "failing" else status
        share = min(1.0, max(0.0, (self._now() - started) / max(ends - started, 1e-6)))
        names = ServerId(server), HostName(source), HostName(target)
        return Migration(MigrationId(str(id)), *names, _at(started), word, 512 * share, 512.0)  # type: ignore[arg-type]


class _Connection(sqlite3.Connection):
    fault = ""


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
