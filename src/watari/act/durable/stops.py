"""The stop switch: while it is set nothing new begins on a cloud, whoever wants it; what moves already arrives."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from watari.act.durable.store import Store, budgets_of
from watari.act.durable.tables import controllers, runs, stops
from watari.errors import BadInput

EVERYWHERE = ""  # in the place of a cloud's name


@dataclass(frozen=True, slots=True)
class Stop:
    """Who set the switch of a cloud (EVERYWHERE: of all), when and why."""

    cloud: str
    by: str
    why: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.why} (by {self.by}, {self.at:%Y-%m-%d %H:%M})"


def set_stop(store: Store, cloud: str, by: str, why: str, at: datetime) -> Stop:
    """Set the switch; one that is set already stays as it is, with its reason."""
    with store.writing(alone="stops") as c:
        if (row := c.execute(_of(cloud)).first()) is not None:
            return _stop(row)
        c.execute(stops.insert().values(cloud=cloud, stopped_by=by, why=why, at=at.isoformat()))
        for name in [cloud] if cloud else sorted(_known(c)):
            store.lock(c, budgets_of(name))  # who judges budgets there just now has begun before, or sees the switch
    return Stop(cloud, by, why, at)


def lift_stop(store: Store, cloud: str) -> Stop:
    """Lift the switch; returns what it was set for. Raises BadInput when it is not set."""
    with store.writing(alone="stops") as c:
        row = c.execute(_of(cloud)).first()
        c.execute(stops.delete().where(stops.c.cloud == cloud))
    if row is not None:
        return _stop(row)
    others = [f"--cloud {stop.cloud}" if stop.cloud else "all clouds" for stop in all_stops(store)]
    is_set = f"; it is set for {', '.join(others)}" if others else ""
    raise BadInput(f"the stop switch of {cloud or 'all clouds'} is not set{is_set}")


def all_stops(store: Store) -> list[Stop]:
    """Every switch that is set."""
    with store.reading() as c:
        return [_stop(row) for row in c.execute(sa.select(stops).order_by(stops.c.cloud))]


def stop_of(store: Store, cloud: str) -> Stop | None:
    """The switch that holds for a cloud: its own, or everybody's."""
    return next((stop for stop in reversed(all_stops(store)) if stop.cloud in (cloud, EVERYWHERE)), None)


def clouds_known(store: Store) -> set[str]:
    """The names of clouds that runs or controllers in this database have to do with."""
    with store.reading() as c:
        return _known(c)


def _known(c: sa.Connection) -> set[str]:
    return {name for table in (runs, controllers) for name in c.execute(sa.select(table.c.cloud).distinct()).scalars()}


def _of(cloud: str) -> "sa.Select[tuple[str, str, str, str]]":
    return sa.select(stops).where(stops.c.cloud == cloud)


def _stop(row: "sa.Row[tuple[str, str, str, str]]") -> Stop:
    return Stop(row.cloud, row.stopped_by, row.why, datetime.fromisoformat(row.at))
