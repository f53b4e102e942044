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

from watari.act.durable.lease import TTL_S, Lease, Lost, bury
from watari.act.durable.store import Store
from watari.act.durable.tables import controllers, leases
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
        if self._held:  # for as long as this process lives: a lost lease ends it
            self.lease.check()
            return ""
        living = bury(self.store, self.lease.ttl_s)
        about = f"{socket.gethostname()} pid {os.getpid()}"
        t = controllers
        with self.store.writing(alone=f"controller of {self.cloud}") as c:
            row = c.execute(sa.select(t.c.executor, t.c.about).where(t.c.cloud == self.cloud)).first()
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

    def keep(self, body: dict[str, Any], memory: bytes | None = None) -> None:
        """Write down what was seen; without `memory` the one that is kept stays."""
        change: dict[str, Any] = {"looked": self.store.now, "body": json.dumps(body, ensure_ascii=False)}
        if memory is not None:
            change["memory"] = memory
        with self.writing() as c:
            c.execute(controllers.update().where(controllers.c.cloud == self.cloud).values(change))

    def keep_memory(self, memory: bytes) -> None:
        """Keep what the balancer remembers."""
        with self.writing() as c:
            c.execute(controllers.update().where(controllers.c.cloud == self.cloud).values(memory=memory))

    def memory(self) -> bytes | None:
        """What was kept of the balancer's memory."""
        with self.store.reading() as c:
            kept = c.scalar(sa.select(controllers.c.memory).where(controllers.c.cloud == self.cloud))
        return bytes(kept) if kept is not None else None


def forget(store: Store, cloud: str) -> None:
    """Forget a cloud, with what was learned of it. Raises BadInput if somebody looks after it, or nobody ever did."""
    known = {seen.cloud: seen for seen in last_seen(store)}
    if (seen := known.get(cloud)) is None:
        raise BadInput(f"no controller ever looked after {cloud}; those that were: {', '.join(known) or 'none'}")
    if seen.alive:
        raise BadInput(f"{seen.about} looks after {cloud}: end that first")
    with store.writing(alone=f"controller of {cloud}") as c:
        c.execute(controllers.delete().where(controllers.c.cloud == cloud))


def last_seen(store: Store, ttl_s: float = TTL_S) -> list[Seen]:
    """Every cloud that ever had a controller. One whose lease has not been renewed for `ttl_s` is not alive."""
    t = controllers
    renewed = sa.and_(leases.c.executor == t.c.executor, leases.c.renewed > store.now - ttl_s)
    wanted = (
        sa.select(t.c.cloud, t.c.about, t.c.body, (store.now - t.c.looked).label("age_s"), leases.c.executor)
        .select_from(t.join(leases, renewed, isouter=True))
        .order_by(t.c.cloud)
    )
    with store.reading() as c:
        return [
            Seen(row.cloud, row.about, row.executor is not None, row.age_s, json.loads(row.body))
            for row in c.execute(wanted)
        ]
