"""What targets of notifications were told, and messages that have not arrived: written in one transaction."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from watari.act.durable.store import Store
from watari.act.durable.tables import controllers, messages, notices


@dataclass(frozen=True, slots=True)
class Message:
    """One that waits to be delivered; `age_s` by the database's clock."""

    id: str
    target: str
    cloud: str
    body: dict[str, Any]
    age_s: float


def told(c: sa.Connection, cloud: str) -> dict[str, str]:
    """What each target was told of a cloud, as it was kept."""
    rows = c.execute(sa.select(notices.c.target, notices.c.body).where(notices.c.cloud == cloud))
    return {row.target: row.body for row in rows}


def keep_told(c: sa.Connection, cloud: str, target: str, body: str) -> None:
    """Keep what a target is told of a cloud from now on."""
    c.execute(notices.delete().where(notices.c.target == target, notices.c.cloud == cloud))
    c.execute(notices.insert().values(target=target, cloud=cloud, body=body))


def undelivered(c: sa.Connection, cloud: str) -> set[str]:
    """The targets that a message about a cloud still waits for."""
    return set(c.execute(sa.select(messages.c.target).where(messages.c.cloud == cloud)).scalars())


def put(c: sa.Connection, store: Store, message_id: str, target: str, cloud: str, body: dict[str, Any]) -> None:
    """Write down a message that is to be delivered."""
    row = {"id": message_id, "target": target, "cloud": cloud, "body": json.dumps(body, ensure_ascii=False)}
    c.execute(messages.insert().values(**row, made=store.now))


def forget_all_but(c: sa.Connection, cloud: str, targets: Collection[str]) -> None:
    """Forget targets that are not told of a cloud any more."""
    for table in (notices, messages):
        c.execute(table.delete().where(table.c.cloud == cloud, table.c.target.not_in(list(targets))))


def oldest(store: Store, target: str, executor: str) -> Message | None:
    """The first message to a target about the clouds that this executor is the controller of."""
    m = messages
    led = sa.select(controllers.c.cloud).where(controllers.c.executor == executor)
    wanted = sa.select(m.c.id, m.c.target, m.c.cloud, m.c.body, (store.now - m.c.made).label("age_s"))
    wanted = wanted.where(m.c.target == target, m.c.cloud.in_(led)).order_by(m.c.made, m.c.id).limit(1)
    with store.reading() as c:
        row = c.execute(wanted).first()
    return None if row is None else Message(row.id, row.target, row.cloud, json.loads(row.body), row.age_s)


def delivered(store: Store, message: Message) -> None:
    """It has arrived."""
    with store.writing() as c:
        c.execute(messages.delete().where(messages.c.id == message.id))


def give_up(store: Store, message: Message) -> None:
    """It will not arrive: the target counts as told nothing of that cloud, and is told anew what is so then."""
    with store.writing(alone=f"controller of {message.cloud}") as c:
        if c.execute(messages.delete().where(messages.c.id == message.id)).rowcount:
            this = (notices.c.target == message.target, notices.c.cloud == message.cloud)
            c.execute(notices.delete().where(*this))


def ages(store: Store) -> list[tuple[str, str, float]]:
    """Cloud, target, and for how many seconds the oldest message between them has waited."""
    m = messages
    wanted = sa.select(m.c.cloud, m.c.target, sa.func.min(m.c.made).label("made")).group_by(m.c.cloud, m.c.target)
    oldest_ = wanted.subquery()
    with store.reading() as c:
        rows = c.execute(sa.select(oldest_.c.cloud, oldest_.c.target, (store.now - oldest_.c.made).label("age_s")))
        return [(row.cloud, row.target, row.age_s) for row in rows]
