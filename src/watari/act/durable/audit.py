"""Who changed what, when and why, whichever way they came; kept for ever, written before the change and after it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa

from watari.act.durable.store import Store
from watari.act.durable.tables import audit
from watari.errors import WatariError

log = logging.getLogger(__name__)
BEGUN = "asked"
DONE = "done"
Via = Literal["api", "cli"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for a change, and from where."""

    user: str
    via: Via
    address: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One change. `outcome`: "asked" while nobody knows, "done" (and what came of it), or why not."""

    n: int
    at: datetime
    actor: Actor
    action: str
    cloud: str
    subject: str
    why: str
    outcome: str


@contextmanager
def audited(
    store: Store, actor: Actor, action: str, subject: str, why: str = "", cloud: str = ""
) -> Iterator[list[str]]:
    """Write a change down before it is made, and what came of it after. What cannot be written down is not made.

    Yields a list for what came of it in words. A process that dies in between leaves "asked": it may have been made.
    """
    who = {"by": actor.user, "via": actor.via, "address": actor.address}
    what = {"action": action, "subject": subject, "why": why, "cloud": cloud, "outcome": BEGUN}
    with store.writing() as c:
        n = c.execute(audit.insert().values(at=datetime.now(UTC).isoformat(), **who, **what)).inserted_primary_key
    assert n is not None
    came_of_it: list[str] = []
    try:
        yield came_of_it
    except WatariError as e:
        _conclude(store, n[0], str(e))
        raise
    except BaseException as e:
        _conclude(store, n[0], f"failed: {type(e).__name__}")
        raise
    _conclude(store, n[0], ": ".join((DONE, *came_of_it)))


def audit_lines(store: Store, *, before: int | None = None, limit: int = 50) -> list[Line]:
    """Changes, newest first; `before`: only those with a smaller number."""
    wanted = sa.select(audit).order_by(audit.c.n.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(audit.c.n < before)
    with store.reading() as c:
        return [_line(row) for row in c.execute(wanted)]


def _conclude(store: Store, n: int, outcome: str) -> None:
    """What came of a change matters more to its caller than whether that can be written down."""
    try:
        with store.writing() as c:
            c.execute(audit.update().where(audit.c.n == n).values(outcome=outcome))
    except WatariError as e:
        log.warning("change %d stays without an outcome (%s) in the record: %s", n, outcome, e)


def _line(row: "sa.Row[tuple[object, ...]]") -> Line:
    actor = Actor(row.by, row.via, row.address)
    return Line(row.n, datetime.fromisoformat(row.at), actor, row.action, row.cloud, row.subject, row.why, row.outcome)
