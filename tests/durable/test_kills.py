"""kill -9 at every journal write, just before and just after its commit; a resume brings everything to its place."""

import signal
from collections.abc import Callable

import pytest

from durable.rig import Rig, disable, move
from watari.act.durable.records import list_runs

Make = Callable[..., Rig]
HOSTS = ["h1", "h2", "h3", "h4"]
# One after the other, so that a given write is always the same one: a saga of two steps that is done, one whose second
# step is refused and whose first is undone, and one that is skipped because it waits for that.
PLAN = (
    move("a", "s1", "h1", "h3", first=(disable("h1"),)),
    move("b", "s2", "h2", "h3", "a", first=(disable("h2"),)),
    move("c", "s3", "h4", "h3", "b"),
)
END = {"a": "done", "b": "failed", "c": "skipped"}
WRITES = (
    "a disable intended", "a disable running", "a disable done", "a move intended", "a move running", "a move done",
    "b disable intended", "b disable running", "b disable done", "b move intended", "b move failed",
    "b disable undoing", "b disable undone", "c move skipped",  # the last two in either order
)  # fmt: skip


def scene(new: Make) -> Rig:
    made = new({"s1": "h1", "s2": "h2", "s3": "h4"}, HOSTS)
    made.cloud.break_("start", "refused", 99, "s2")
    made.submit(*PLAN, policy="budgets: {total: 1, link: 100000 MiB/s}\n")  # one that counts itself would wait for ever
    return made


def test_the_list_of_writes_is_true(sqlite: Make) -> None:
    made = scene(sqlite)
    made.carry_out()
    words = [f"{e.operation} {'disable' if 'disable' in e.step else 'move'} {e.state}" for e in made.journal()]
    assert (*words[:-2], *sorted(words[-2:])) == WRITES
    in_its_place(made)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("n", range(1, len(WRITES) + 1), ids=[w.replace(" ", "-") for w in WRITES])
def test_a_kill_at_any_write_loses_nothing(sqlite: Make, n: int, moment: str) -> None:
    made = scene(sqlite)
    worker = made.worker(once=True, kill_at=(n, moment))
    assert worker.wait() == -signal.SIGKILL, worker.out()
    assert len(made.journal()) == (n if moment == "after" else n - 1)
    made.carry_out()
    in_its_place(made)


def in_its_place(made: Rig) -> None:
    assert made.states() == END
    assert made.asked() == {"s1": 1}
    assert [made.host_of(s) for s in ("s1", "s2", "s3")] == ["h3", "h2", "h4"]
    assert made.cloud.host("h1").state == "disabled"  # type: ignore[union-attr,arg-type]
    assert made.cloud.host("h2").state == "up"  # type: ignore[union-attr,arg-type]
    assert [row.state for row in list_runs(made.store)] == ["partly"]
    notes = {str(o.operation.id): o.note for o in made.run().operations}
    assert notes["b"] == "403: start s2"
    assert notes["c"].startswith("operation b, which it waits for, is ")
