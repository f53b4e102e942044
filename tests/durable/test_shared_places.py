"""A large run of one cloud leaves places in the queue to a small run of another."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from durable.rig import POLICY, copied, move
from watari.act.durable.queue import _by_cloud, _left, shared
from watari.act.durable.records import submit
from watari.act.durable.store import Store
from watari.act.durable.tables import operations
from watari.plan.plan import Plan


def begun(store: Store, id: str, cloud: str, servers: int) -> str:
    now = datetime.now(UTC)
    moves = tuple(move(str(n), f"{cloud}-{n}", "h1", "h2") for n in range(servers))
    plan = Plan(id, "balance", cloud, now, now + timedelta(hours=1), "", "", moves)
    return submit(store, plan, cloud, (POLICY, "test"), now)[0]


def test_what_is_queued_counts_for_its_cloud_until_it_begins(template: Path, tmp_path: Path) -> None:
    store = Store(copied(template, tmp_path))
    try:
        large, small = begun(store, "p-large", "tokyo", 100), begun(store, "p-small", "osaka", 3)
        queued = {(large, str(n)) for n in range(40)} | {(small, "0")}
        with store.writing() as c:
            c.execute(
                operations.update().where(operations.c.run_id == large, operations.c.seq < 4).values(state="running")
            )
            assert _by_cloud(c, queued) == {"tokyo": 36, "osaka": 1}
            left = _left(c, set(), None)
            found = shared([r for r in left if (r.run_id, r.id) not in queued], _by_cloud(c, queued), 64)
        assert Counter(row.run_id for row in found) == {small: 2}, "tokyo has more than its share"
    finally:
        store.close()
