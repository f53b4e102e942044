"""The statements of every step, made once: SQLAlchemy takes longer to make one than SQLite to run it."""

from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from watari.act.durable.tables import entries, operations, runs, stops
from watari.act.journal import OVER

_o, _over = operations.c, sorted(OVER)
_this: Final = sa.and_(_o.run_id == bindparam("run"), _o.id == bindparam("operation"))
_free: Final = sa.or_(_o.owner.is_(None), _o.owner == bindparam("me"))

CLAIM: Final = operations.update().where(_this, _free).values(owner=bindparam("me"))
LEAVE: Final = operations.update().where(_this, _o.owner == bindparam("me")).values(owner=None)
RECORD: Final = sa.select(_o.run_id, _o.id, _o.state, _o.waits, _o.steps).where(_this)
OWNER: Final = sa.select(_o.owner).where(_this)
ENTRY: Final = entries.insert()
# The reason of the stop switch: the cloud's own before everybody's.
_stopped: Final = (
    sa.select(stops.c.why + " (by " + stops.c.stopped_by + ")")
    .where(stops.c.cloud.in_(["", runs.c.cloud]))
    .order_by(stops.c.cloud.desc())
    .limit(1)
    .correlate(runs)
    .scalar_subquery()
)
FLAGS: Final = sa.select(runs.c.stopping, runs.c.cancelled, _stopped.label("stopped")).where(
    runs.c.id == bindparam("run")
)
LEFT: Final = sa.select(_o.id).where(_o.run_id == bindparam("run"), _o.state.not_in(_over)).limit(1)
CLOSE: Final = (
    runs.update().where(runs.c.id == bindparam("run"), runs.c.ended_at.is_(None)).values(ended_at=bindparam("at"))
)
HOLDERS: Final = sa.select(_o.source, _o.target, _o.zone, _o.role, _o.rate_mib_s, _o.orchestrators).where(
    _o.cloud == bindparam("cloud"), _o.holding.is_(True), ~_this
)
_STATES: Final = sa.select(_o.id, _o.state).where(
    _o.run_id == bindparam("run"), _o.id.in_(bindparam("operations", expanding=True))
)
STATES: Final = _STATES
NOBODY_S: Final = _STATES.where(_o.owner.is_(None), _o.state.not_in(_over)).limit(1)


def claim_of_dead(living: set[str]) -> "sa.Update":
    """Takes an operation over from whoever is not alive."""
    return operations.update().where(_this, _o.owner.not_in(sorted(living))).values(owner=bindparam("me"))


@cache
def store_record(now: "sa.ColumnElement[float]") -> "sa.Update":
    """Writes what `columns_of` says of a record, each as `new_...`; `now` is the database's clock."""
    values: dict[str, Any] = {
        name: bindparam(f"new_{name}") for name in ("state", "waits", "holding", "rate_mib_s", "steps")
    }
    return operations.update().where(_this, _o.owner == bindparam("me")).values(**values, changed=now)
