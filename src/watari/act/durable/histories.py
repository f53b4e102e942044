"""The history of clouds in the database: bytes with the times that they are of. What is in them is the app's affair."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from watari.act.durable.store import Store
from watari.act.durable.tables import history, history_items, history_slots

GOES_AT_ONCE = 2  # windows: a clock that is wrong for an hour must not cost a month


@dataclass(frozen=True, slots=True)
class Kept:
    """What there is of a cloud: `slots` from `first` to `last` (beginnings, seconds since 1970), and its size."""

    cloud: str
    first: int
    last: int
    slots: int
    servers: int
    size: int


@dataclass(frozen=True, slots=True)
class Packed:
    """Slots as bytes: a whole window, or one slot."""

    begin: int
    first: int
    last: int
    slots: int
    servers: int
    body: bytes


def put_slot(c: sa.Connection, cloud: str, slot: Packed) -> None:
    """Write a slot, over what there was of it."""
    t = history_slots
    c.execute(t.delete().where(t.c.cloud == cloud, t.c.begin == slot.begin))
    c.execute(t.insert().values(cloud=cloud, begin=slot.begin, servers=slot.servers, body=slot.body))


def put_window(c: sa.Connection, cloud: str, window: Packed, slots: Sequence[int]) -> None:
    """Write a window in the place of the slots that are in it, over what there was of it."""
    t = history
    c.execute(t.delete().where(t.c.cloud == cloud, t.c.begin == window.begin))
    c.execute(
        t.insert().values(
            cloud=cloud, begin=window.begin, first=window.first, last=window.last, slots=window.slots,
            servers=window.servers, body=window.body,
        )
    )  # fmt: skip
    drop_slots(c, cloud, slots)


def drop_slots(c: sa.Connection, cloud: str, begins: Sequence[int]) -> None:
    """Forget slots that are still by themselves."""
    t = history_slots
    c.execute(t.delete().where(t.c.cloud == cloud, t.c.begin.in_(begins)))


def put_items(c: sa.Connection, cloud: str, epoch: int, first: int, body: bytes) -> None:
    """Write items of an epoch, numbered from `first` on."""
    c.execute(history_items.insert().values(cloud=cloud, epoch=epoch, first=first, body=body))


def prune(c: sa.Connection, cloud: str, before: int, epoch_s: int) -> None:
    """Forget the oldest windows that began before then, a few at a time, and the epochs that nothing is left of."""
    t, s, i = history, history_slots, history_items
    old = sa.select(t.c.begin).where(t.c.cloud == cloud, t.c.begin < before).order_by(t.c.begin).limit(GOES_AT_ONCE)
    if not (gone := c.execute(old).scalars().all()):
        return
    c.execute(t.delete().where(t.c.cloud == cloud, t.c.begin.in_(gone)))
    left = [c.scalar(sa.select(sa.func.min(x.c.begin)).where(x.c.cloud == cloud)) for x in (t, s)]
    oldest = min((begin for begin in left if begin is not None), default=before)
    c.execute(i.delete().where(i.c.cloud == cloud, i.c.epoch + epoch_s <= oldest))


def forget(c: sa.Connection, cloud: str) -> None:
    """All of a cloud's."""
    for t in (history, history_slots, history_items):
        c.execute(t.delete().where(t.c.cloud == cloud))


def slots_of(store: Store, cloud: str, begin: int, end: int) -> dict[int, bytes]:
    """The slots, still by themselves, that begin within [begin, end)."""
    t = history_slots
    wanted = sa.select(t.c.begin, t.c.body).where(t.c.cloud == cloud, t.c.begin >= begin, t.c.begin < end)
    with store.reading() as c:
        return {row.begin: bytes(row.body) for row in c.execute(wanted.order_by(t.c.begin))}


def slot_begins(store: Store, cloud: str) -> list[int]:
    """The beginnings of the slots that are still by themselves."""
    t = history_slots
    with store.reading() as c:
        return list(c.execute(sa.select(t.c.begin).where(t.c.cloud == cloud).order_by(t.c.begin)).scalars())


def window_begins(store: Store, cloud: str) -> list[int]:
    """The beginnings of the windows."""
    t = history
    with store.reading() as c:
        return list(c.execute(sa.select(t.c.begin).where(t.c.cloud == cloud).order_by(t.c.begin)).scalars())


def window(store: Store, cloud: str, begin: int) -> bytes | None:
    """One window."""
    t = history
    with store.reading() as c:
        body = c.scalar(sa.select(t.c.body).where(t.c.cloud == cloud, t.c.begin == begin))
    return None if body is None else bytes(body)


def items_of(store: Store, cloud: str, epoch: int) -> list[bytes]:
    """The items of an epoch, in the order of their numbers."""
    t = history_items
    wanted = sa.select(t.c.body).where(t.c.cloud == cloud, t.c.epoch == epoch).order_by(t.c.first)
    with store.reading() as c:
        return [bytes(body) for body in c.execute(wanted).scalars()]


def all_kept(store: Store) -> list[Kept]:
    """Every cloud that has a history."""
    t, s, i = history, history_slots, history_items
    size = sa.func.sum(sa.func.length(t.c.body))
    slots = sa.select(
        s.c.cloud, sa.func.min(s.c.begin), sa.func.max(s.c.begin), sa.func.count(), sa.func.max(s.c.servers),
        sa.func.sum(sa.func.length(s.c.body)),
    ).group_by(s.c.cloud)  # fmt: skip
    windows = sa.select(
        t.c.cloud, sa.func.min(t.c.first), sa.func.max(t.c.last), sa.func.sum(t.c.slots), sa.func.max(t.c.servers), size
    ).group_by(t.c.cloud)
    items = sa.select(i.c.cloud, sa.func.sum(sa.func.length(i.c.body))).group_by(i.c.cloud)
    with store.reading() as c:
        parts: dict[str, list[Sequence[int]]] = {}
        for cloud, *numbers in (*c.execute(windows), *c.execute(slots)):
            parts.setdefault(cloud, []).append(tuple(map(int, numbers)))
        more = {cloud: int(size) for cloud, size in c.execute(items)}
    return [_kept(cloud, numbers, more.get(cloud, 0)) for cloud, numbers in sorted(parts.items())]


def _kept(cloud: str, parts: Collection[Sequence[int]], more: int) -> Kept:
    firsts, lasts, slots, servers, sizes = zip(*parts, strict=True)
    return Kept(cloud, min(firsts), max(lasts), sum(slots), max(servers), sum(sizes) + more)
