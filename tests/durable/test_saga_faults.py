"""A cloud that fails a run in every way it can, under the durable executor; its clock goes 100 times as fast."""

import signal
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from durable.rig import Rig, disable, move
from watari.act.durable.records import list_runs
from watari.act.durable.tables import runs

Make = Callable[..., Rig]
SPEED = 100.0
MOVE_S = 20.0
HOSTS = ["h1", "h2", "h3", "h4"]
ONE = (move("a", "s1", "h1", "h3"),)
SAGA = (move("a", "s1", "h1", "h3", first=(disable("h1"),)),)


def scene(new: Make, move_s: float = MOVE_S, speed: float = SPEED) -> Rig:
    return new({"s1": "h1", "s2": "h2", "s3": "h1"}, HOSTS, speed=speed, move_s=move_s)


def words(made: Rig) -> list[str]:
    return [e.state for e in made.journal()]


def note(made: Rig, operation: str = "a") -> str:
    return next(o.note for o in made.run().operations if o.operation.id == operation)


def cancel(made: Rig) -> None:
    with made.store.writing() as c:
        c.execute(runs.update().values(cancelled=True))


def stop(made: Rig) -> None:
    with made.store.writing() as c:
        c.execute(runs.update().values(stopping=True))


@pytest.mark.parametrize("verb", ["locate", "start", "find", "migration", "host", "disable"])
def test_a_cloud_that_is_away_for_a_while_at_any_call(sqlite: Make, verb: str) -> None:
    made = scene(sqlite)
    made.submit(*SAGA)
    made.cloud.break_(verb, "away", 3)
    made.carry_out()
    assert made.states() == {"a": "done"}
    assert made.asked() == {"s1": 1}
    assert made.host_of("s1") == "h3"
    assert [e.state for e in made.journal() if "migrate" in e.step][-1] == "done"


def test_a_lost_answer_is_found_and_not_asked_for_again(sqlite: Make) -> None:
    made = scene(sqlite)
    made.submit(*ONE)
    made.cloud.break_("start", "lost")
    made.carry_out()
    assert made.states() == {"a": "done"}
    assert [(c.verb, c.answer) for c in made.cloud.calls()] == [("start", "lost")]
    assert words(made) == ["intended", "intended", "running", "done"]


def test_an_earlier_request_that_surfaces_late_is_taken_up(sqlite: Make) -> None:
    """Not there when it is looked for, there when it is asked for again: the cloud refuses, and there is one move."""
    made = scene(sqlite)
    made.submit(*ONE)
    made.cloud.break_("start", "late")
    made.carry_out()
    assert made.states() == {"a": "done"}
    assert made.host_of("s1") == "h3"
    assert [c.answer for c in made.cloud.calls("start")] == ["late", "refused"]
    assert len(made.cloud.moves()) == 1


def test_a_move_that_never_ends_is_stopped_at_its_deadline(sqlite: Make) -> None:
    made = scene(sqlite)
    made.submit(*ONE, policy="budgets: {deadline: 5min, stalled_after: 1h}\n")
    made.cloud.break_("start", "never")
    made.carry_out()
    assert made.states() == {"a": "undone"}
    assert note(made) == "not over after 5 min: stopped; the server stays on h1"
    assert made.host_of("s1") == "h1"
    assert [c.verb for c in made.cloud.calls()] == ["start", "abort"]


def test_an_abort_that_the_cloud_ignores_is_said(sqlite: Make) -> None:
    made = scene(sqlite, speed=500.0)
    made.submit(*ONE, policy="budgets: {deadline: 1min, stalled_after: 1h}\n")
    made.cloud.break_("start", "never")
    made.cloud.break_("abort", "ignored", 1000)
    made.carry_out()
    assert made.states() == {"a": "failed"}
    assert note(made).startswith("not over after 60 s; asked to stop, and still going on as ")
    assert len(made.cloud.calls("abort")) > 2, "it insists"


def test_a_move_that_the_cloud_fails(sqlite: Make) -> None:
    made = scene(sqlite)
    made.submit(*ONE)
    made.cloud.break_("start", "fails")
    made.carry_out()
    assert made.states() == {"a": "failed"}
    assert note(made) == "the cloud says failed; the server is ACTIVE on h1"


def test_what_waits_for_a_failed_one_is_skipped(sqlite: Make) -> None:
    made = scene(sqlite)
    made.submit(*ONE, move("b", "s2", "h2", "h3", "a"), move("c", "s3", "h1", "h4", "b"))
    made.cloud.break_("start", "fails", 1, "s1")
    made.carry_out()
    assert made.states() == {"a": "failed", "b": "skipped", "c": "skipped"}
    assert note(made, "b") == "operation a, which it waits for, is failed"
    assert note(made, "c") == "operation b, which it waits for, is skipped"
    assert made.asked() == {"s1": 1}


def test_what_waits_for_a_done_one_begins_after_it(sqlite: Make) -> None:
    made = scene(sqlite)
    made.submit(move("b", "s2", "h2", "h3", "a"), *ONE)
    made.carry_out()
    assert made.states() == {"a": "done", "b": "done"}
    (first, _, _, _, ended), (second, _, _, began, _) = made.cloud.moves()
    assert (first, second) == ("s1", "s2")
    assert began >= ended


def test_a_failed_saga_is_undone_although_the_cloud_is_away_meanwhile(sqlite: Make) -> None:
    made = scene(sqlite)
    made.submit(*SAGA)
    made.cloud.break_("start", "fails")
    made.cloud.break_("enable", "away", 3)
    made.carry_out()
    assert made.states() == {"a": "failed"}
    assert [(c.verb, c.answer) for c in made.cloud.calls("enable")] == [("enable", "away")] * 3 + [("enable", "ok")]
    assert made.cloud.host("h1").state == "up"  # type: ignore[union-attr,arg-type]
    assert [s.state for o in made.run().operations for s in o.steps] == ["undone", "failed"]


def test_a_kill_in_the_middle_of_the_undo(sqlite: Make) -> None:
    """Undone from the last step to the first, also by the next process."""
    made = scene(sqlite)
    both = (disable("h1"), disable("h2"))
    made.submit(move("a", "s1", "h1", "h3", first=both))
    made.cloud.break_("start", "fails")
    made.cloud.break_("enable", "away", 30, "h1")
    worker = made.ready()
    made.until(lambda: [c.subject for c in made.cloud.calls("enable")][:3] == ["h2", "h1", "h1"])
    worker.kill()
    made.cloud.break_("enable", "away", 0, "h1")
    made.carry_out()
    assert [(c.subject) for c in made.cloud.calls("enable") if c.answer == "ok"] == ["h2", "h1"]
    assert [s.state for o in made.run().operations for s in o.steps] == ["undone", "undone", "failed"]


def test_a_server_that_has_arrived_is_not_called_undone(sqlite: Make) -> None:
    made = scene(sqlite)
    operation = move("a", "s1", "h1", "h3")
    made.submit(replace(operation, steps=(*operation.steps, disable("h4"))))
    made.cloud.break_("disable", "refused")
    made.carry_out()
    assert made.states() == {"a": "failed"}
    assert [s.state for s in made.run().operations[0].steps] == ["done", "failed"]
    assert made.host_of("s1") == "h3"


def test_cancelled_from_another_process(sqlite: Make) -> None:
    """What is under way is stopped and its server stays, what waits is skipped, what is done stays done."""
    made = scene(sqlite)
    made.submit(
        *ONE, move("b", "s2", "h2", "h3", "a"), move("c", "s3", "h1", "h4", "b"),
        policy="budgets: {deadline: 10h, stalled_after: 10h}\n",
    )  # fmt: skip
    made.cloud.break_("start", "never", 1, "s2")
    worker = made.ready(once=True)
    made.until(lambda: made.states()["b"] == "running")
    cancel(made)
    assert worker.wait() == 0
    assert made.states() == {"a": "done", "b": "undone", "c": "skipped"}
    assert note(made, "b") == "cancelled: stopped; the server stays on h2"
    assert note(made, "c") == "cancelled before it began"
    assert [made.host_of(s) for s in ("s1", "s2", "s3")] == ["h3", "h2", "h1"]
    assert [row.state for row in list_runs(made.store)] == ["cancelled"]


def test_cancelled_while_nobody_works_on_it(sqlite: Make) -> None:
    made = scene(sqlite)
    made.submit(*ONE, move("b", "s2", "h2", "h3", "a"))
    made.cloud.break_("start", "never", 1, "s1")
    worker = made.ready()
    made.until(lambda: made.states()["a"] == "running")
    worker.kill()
    cancel(made)
    made.carry_out()
    assert made.states() == {"a": "undone", "b": "skipped"}
    assert made.host_of("s1") == "h1"


def test_stopped_finishes_what_is_under_way_and_goes_on_when_told(sqlite: Make) -> None:
    made = scene(sqlite, 100.0)
    made.submit(*SAGA, move("b", "s2", "h2", "h3", "a"))
    worker = made.ready()
    made.until(lambda: len(made.asked()) == 1)
    stop(made)
    made.until(lambda: made.states()["a"] == "done")
    assert worker.end(signal.SIGINT) == 0
    assert made.states() == {"a": "done", "b": "pending"}
    assert [row.state for row in list_runs(made.store)] == ["stopped"]
    idle = made.ready(enqueue=False)
    time.sleep(0.8)  # a worker that comes by leaves a stopped run alone
    assert idle.end() == 0
    assert made.states()["b"] == "pending"
    made.carry_out()
    assert made.states() == {"a": "done", "b": "done"}


def test_a_plan_that_expired_meanwhile_is_skipped(sqlite: Make) -> None:
    made = scene(sqlite)
    made.submit(*ONE, move("b", "s2", "h2", "h3", "a"), policy="budgets: {deadline: 99h, stalled_after: 99h}\n")
    made.cloud.break_("start", "never", 1, "s1")
    worker = made.ready()
    made.until(lambda: made.states()["a"] == "running")
    worker.kill()
    with made.store.writing() as c:
        past = made.run().plan.made_at.isoformat()
        c.exec_driver_sql("update watari_plans set text = replace(text, ?, ?)", (
            made.run().plan.expires_at.isoformat(), past))  # fmt: skip
        c.execute(runs.update().values(cancelled=False))
    worker = made.ready()
    made.cloud.abort_migration(made.run().operations[0].steps[0].handle)  # type: ignore[arg-type]
    made.until(made.over)
    assert made.states() == {"a": "failed", "b": "skipped"}
    assert worker.end() == 0


def test_a_bug_in_a_handler_fails_its_operation_and_no_other(sqlite: Make) -> None:
    made = scene(sqlite)
    made.submit(*ONE, move("b", "s2", "h2", "h3"))
    made.cloud.break_("start", "bug", 1, "s1")
    made.carry_out()
    assert made.states() == {"a": "failed", "b": "done"}
    assert "this is a bug: look where s1 is" in note(made)
