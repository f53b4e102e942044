"""Servers that work for an orchestrator, in real processes: whatever happens, they are put back, or the run stops."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from durable.rig import Rig, move
from watari.act.durable.records import list_runs
from watari.act.durable.stops import lift_stop, set_stop
from watari.model.compute import ServerId
from watari.plan.plan import Operation
from watari.plan.steps import Attach, Detach

Make = Callable[..., Rig]
BACK_S = 2.0


class Pool:
    """The orchestrator's file: m1 is s1, m2 is s2."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(json.dumps({"members": {"m1": {"server": "s1"}, "m2": {"server": "s2"}}}))

    def set(self, member: str, **values: Any) -> None:
        state = json.loads(self.path.read_text())
        state["members"][member].update(values)
        self.path.write_text(json.dumps(state))

    def out(self) -> dict[str, str]:
        members = json.loads(self.path.read_text())["members"]
        return {name: member["out"] for name, member in members.items() if member.get("out")}


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path / "pool.json")


def scene(make: Make) -> Rig:
    return make({"s1": "h1", "s2": "h2"}, ["h1", "h2", "h3"])


def member_of(op: Operation, member: str) -> Operation:
    server = ServerId(op.subject)
    return replace(op, steps=(Detach(server, "pool", member, 30.0), *op.steps, Attach(server, "pool", member, BACK_S)))


BOTH = (member_of(move("a", "s1", "h1", "h3"), "m1"), member_of(move("b", "s2", "h2", "h3"), "m2"))


def test_a_bug_in_the_middle_puts_the_server_back(sqlite: Make, pool: Pool) -> None:
    made = scene(sqlite)
    made.submit(*BOTH)
    made.cloud.break_("start", "bug", 1, "s1")
    made.carry_out(pool=str(pool.path))
    assert made.states() == {"a": "failed", "b": "done"}
    assert "this is a bug: look where s1 is" in made.run().operations[0].note
    assert pool.out() == {}
    assert made.run().left_out() == []


def test_one_that_cannot_come_back_stops_the_run_until_somebody_goes_on_with_it(sqlite: Make, pool: Pool) -> None:
    made = scene(sqlite)
    pool.set("m1", stubborn=True)
    pool.set("m2", stubborn=True)
    made.submit(*BOTH)
    worker = made.ready(pool=str(pool.path))
    made.until(lambda: "failed" in made.states().values())
    assert worker.end() == 0
    assert [row.state for row in list_runs(made.store)] == ["stopped"]
    states = made.states()
    failed, other = sorted(states, key=lambda id: states[id] != "failed")  # either may be the first to begin
    assert states == {failed: "failed", other: "pending"}, "nothing more was taken out"
    member, server = {"a": ("m1", "s1"), "b": ("m2", "s2")}[failed]
    assert list(pool.out()) == [member]
    assert [str(r.step) for r in made.run().left_out()] == [f"attach {member} to pool"]
    assert made.host_of(server) == "h3", "it has moved all the same"
    pool.set("m1", stubborn=False, out="")
    pool.set("m2", stubborn=False, out="")
    made.carry_out(pool=str(pool.path))
    assert made.states() == {failed: "failed", other: "done"}
    assert pool.out() == {}


@pytest.mark.parametrize("moment", range(3, 15, 2))
def test_killed_at_a_journal_write_everybody_is_back_after_the_next_process(
    sqlite: Make, pool: Pool, moment: int
) -> None:
    made = scene(sqlite)
    made.submit(*BOTH)
    worker = made.worker(pool=str(pool.path), kill_at=(moment, "after"), once=True)
    worker.wait()
    made.carry_out(pool=str(pool.path))
    assert made.states() == {"a": "done", "b": "done"}
    assert pool.out() == {}
    assert made.asked() == {"s1": 1, "s2": 1}


def test_a_server_that_is_out_when_everything_is_stopped_comes_back_and_does_not_move(sqlite: Make, pool: Pool) -> None:
    made = scene(sqlite)
    made.submit(BOTH[0], move("b", "s2", "h2", "h3", "a"))
    worker = made.ready(pool=str(pool.path), drawn_out=("done", 1.5))
    made.until(lambda: "m1" in pool.out() and made.journal()[-1].state == "done")
    set_stop(made.store, "filed", "mai", "the storage flaps", made.cloud.now())
    made.until(made.over)
    assert (made.asked(), pool.out()) == ({}, {})
    assert [(r.state, r.note) for r in made.run().operations[0].steps][1] == (
        "skipped",
        "stopped: the storage flaps (by mai)",
    )
    assert worker.end() == 0


def test_what_waits_says_that_it_is_stopped_and_goes_on_after(sqlite: Make) -> None:
    made = scene(sqlite)
    set_stop(made.store, "", "mai", "the storage flaps", made.cloud.now())
    made.submit(move("a", "s1", "h1", "h3"))
    worker = made.ready()
    made.until(lambda: made.run().operations[0].waits == "stopped: the storage flaps (by mai)")
    lift_stop(made.store, "")
    made.until(made.over)
    assert made.states() == {"a": "done"}
    assert worker.end() == 0
