"""Which process is the controller of a cloud, what it saw last, and what its balancer remembers.

The place is one row per cloud. It belongs to an executor, whose lease proves that it lives: a process that loses its
lease ends itself, so that whoever finds a holder without a lease may take its place.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from watari.act.durable import histories
from watari.act.durable.lease import TTL_S, Lease, Lost, bury
from watari.act.durable.store import Store
from watari.act.durable.tables import controllers, leases, memories, messages, notices, proposals
from watari.errors import BadInput


@dataclass(frozen=True, slots=True)
class Seen:
    """What a controller wrote of its last look. `age_s` by the database's clock; None: it has not looked yet."""

    cloud: str
    about: str
    alive: bool
    age_s: float | None
    body: dict[str, Any]


class Place:
    """The controller's place of one cloud, as one process sees it."""

    def __init__(self, store: Store, lease: Lease, cloud: str) -> None:
        self.store, self.lease, self.cloud = store, lease, cloud
        self._held = False

    def hold(self) -> str:
        """Take the place if nobody alive has it; returns who has it otherwise, and "" when it is ours."""
        if self._held:  # until it is released: nobody takes the place of a living process
            self.lease.check()
            return ""
        bury(self.store, self.lease.ttl_s)
        about, t = this_process(), controllers
        with self.store.writing(alone=f"controller of {self.cloud}") as c:
            row = c.execute(sa.select(t.c.executor, t.c.about).where(t.c.cloud == self.cloud)).first()
            living = set(c.execute(sa.select(leases.c.executor)).scalars())  # after the row: who has it had a lease
            if row is None:
                c.execute(t.insert().values(cloud=self.cloud, executor=self.lease.executor, about=about, body="{}"))
            elif row.executor in living and row.executor != self.lease.executor:
                return str(row.about)
            else:
                c.execute(t.update().where(t.c.cloud == self.cloud).values(executor=self.lease.executor, about=about))
        self._held = True
        return ""

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction of the controller. Raises Lost when the place is another's."""
        self.lease.check()
        mine = sa.select(controllers.c.cloud).where(
            controllers.c.cloud == self.cloud, controllers.c.executor == self.lease.executor
        )
        with self.store.writing(alone=f"controller of {self.cloud}") as c:
            if c.scalar(mine) is None:
                self._held = False
                raise Lost(f"{self.cloud} has another controller by now")
            yield c

    def release(self) -> None:
        """Leave the place to another, although this process lives on."""
        with self.writing() as c:
            c.execute(controllers.update().where(controllers.c.cloud == self.cloud).values(executor=""))
        self._held = False

    def keep(self, body: dict[str, Any]) -> None:
        """Write down what was seen."""
        seen = {"looked": self.store.now, "body": json.dumps(body | {"ttl_s": self.lease.ttl_s}, ensure_ascii=False)}
        with self.writing() as c:
            c.execute(controllers.update().where(controllers.c.cloud == self.cloud).values(seen))

    def keep_memory(self, memory: bytes) -> None:
        """Keep what the balancer remembers."""
        with self.writing() as c:
            c.execute(memories.delete().where(memories.c.cloud == self.cloud))
            c.execute(memories.insert().values(cloud=self.cloud, body=memory))

    def memory(self) -> bytes | None:
        """What was kept of the balancer's memory."""
        with self.store.reading() as c:
            kept = c.scalar(sa.select(memories.c.body).where(memories.c.cloud == self.cloud))
        return bytes(kept) if kept is not None else None


def this_process() -> str:
    """For people, and to know oneself by: host and pid."""
    return f"{socket.gethostname()} pid {os.getpid()}"


def is_elsewhere(store: Store, cloud: str) -> bool:
    """Whether another process looks after a cloud now."""
    seen = next((one for one in last_seen(store) if one.cloud == cloud), None)
    return seen is not None and seen.alive and seen.about != this_process()


def forget(store: Store, cloud: str) -> None:
    """Forget a cloud, with its history, what was learned of it and what came to nothing.

    Raises BadInput if somebody looks after it, or nobody ever did.
    """
    known = {seen.cloud: seen for seen in last_seen(store)}
    if (seen := known.get(cloud)) is None:
        raise BadInput(f"no controller ever looked after {cloud}; those that were: {', '.join(known) or 'none'}")
    if seen.alive:
        raise BadInput(f"{seen.about} looks after {cloud}: end that first")
    with store.writing(alone=f"controller of {cloud}") as c:
        for table in (controllers, memories, notices, messages):
            c.execute(table.delete().where(table.c.cloud == cloud))
        histories.forget(c, cloud)
        c.execute(proposals.delete().where(proposals.c.cloud == cloud, proposals.c.run_id.is_(None)))


def last_seen(store: Store) -> list[Seen]:
    """Every cloud that ever had a controller. One whose lease has run out is not alive, whether buried or not."""
    t, renewed = controllers, (store.now - leases.c.renewed).label("renewed_s")
    wanted = (
        sa.select(t.c.cloud, t.c.about, t.c.body, (store.now - t.c.looked).label("age_s"), renewed)
        .select_from(t.join(leases, leases.c.executor == t.c.executor, isouter=True))
        .order_by(t.c.cloud)
    )
    with store.reading() as c:
        return [_seen(row) for row in c.execute(wanted)]


def _seen(row: Any) -> Seen:
    body = json.loads(row.body)
    alive = row.renewed_s is not None and row.renewed_s < body.get("ttl_s", TTL_S)
    return Seen(row.cloud, row.about, alive, row.age_s, body)
