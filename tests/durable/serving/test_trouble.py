"""A controller that cannot know, must not act, or comes back: unknown is never healthy, and nothing is done twice."""

import os
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from durable.rig import move
from durable.serving.conftest import Desk, Sit
from durable.serving.metered_cloud import NAME
from watari.act.durable.leading import Place
from watari.act.durable.lease import Lease, Lost
from watari.act.durable.proposals import decide, proposed_plan
from watari.act.durable.records import columns_of, load_run, submit
from watari.act.durable.stops import all_stops, lift_stop, set_stop, stop_of
from watari.act.durable.tables import operations
from watari.app.serving.status import statuses
from watari.errors import BadInput, Permanent
from watari.model.compute import ServerId
from watari.model.reasons import Finding
from watari.plan.plan import Plan
from watari.plan.steps import Detach

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def begun(desk: Desk) -> str:
    """An automatic run of which nothing has begun yet."""
    desk.look()
    (run,) = desk.reconciler.begin_approved()
    return run


def test_without_a_meter_nothing_is_decided_and_nothing_begins_on_an_old_plan(sit: Sit) -> None:
    desk = sit("automatic")
    run = begun(desk)
    desk.filed.set(meter="away")
    look = desk.look()
    assert (look.trouble, look.starved) == ("no decision: the meter does not answer", None)
    assert {o.state for o in load_run(desk.store, run).operations} == {"skipped"}
    assert {o.note for o in load_run(desk.store, run).operations} == {"planned anew once it is known how the cloud is"}
    desk.filed.set(meter="ok")
    assert desk.look().trouble == ""
    assert len(desk.reconciler.begin_approved()) == 1


def test_a_plan_that_waits_for_a_person_outlasts_a_silent_meter(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    desk.filed.set(meter="away")
    desk.look()
    assert desk.states() == ["waiting"]


def test_a_meter_that_knows_nobody_is_trouble_not_calm(sit: Sit) -> None:
    desk = sit("automatic")
    desk.filed.set(meter="blind")
    look = desk.look()
    assert (look.measured, look.trouble) == (0, "no decision: 8 of 8 servers that run send no usable load")
    assert desk.proposals() == []


def test_a_bug_in_reading_the_cloud_is_said_and_nothing_is_decided(
    sit: Sit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = sit("automatic")
    monkeypatch.setattr(desk.cloud, "about_networks", lambda: 1 / 0)
    assert desk.look().trouble == "no decision: ZeroDivisionError: division by zero; this is a bug"
    assert desk.proposals() == []
    assert "Traceback" in caplog.text


def test_while_the_stop_switch_is_set_nothing_begins_and_it_says_why(sit: Sit) -> None:
    desk = sit("automatic")
    set_stop(desk.store, NAME, "mai", "storage flaps", NOW)
    assert desk.look().doing == "nothing: stopped: storage flaps (by mai, 2026-11-30 12:00)"
    assert desk.proposals() == []
    lift_stop(desk.store, NAME)
    assert begun(desk)


def test_what_was_approved_waits_for_the_stop_switch(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    decide(desk.store, desk.proposals()[0].id, approve=True, by="mai", why="", now=datetime.now(UTC))
    set_stop(desk.store, "", "jin", "upgrade", NOW)
    assert desk.reconciler.begin_approved() == []
    assert "is approved" in desk.look().doing
    lift_stop(desk.store, "")
    assert len(desk.reconciler.begin_approved()) == 1


def test_the_switch_of_one_cloud_and_that_of_all_are_two(sit: Sit) -> None:
    desk = sit("observe")
    with pytest.raises(BadInput, match="the stop switch of all clouds is not set"):
        lift_stop(desk.store, "")
    set_stop(desk.store, "other", "mai", "one", NOW)
    assert stop_of(desk.store, NAME) is None
    everybody = set_stop(desk.store, "", "mai", "two", NOW)
    assert set_stop(desk.store, "", "jin", "three", NOW) == everybody, "the first reason stays"
    own = set_stop(desk.store, NAME, "mai", "four", NOW)
    assert stop_of(desk.store, NAME) == own
    assert lift_stop(desk.store, NAME) == own
    assert stop_of(desk.store, NAME) == everybody
    with pytest.raises(BadInput, match="is not set; it is set for all clouds, --cloud other"):
        lift_stop(desk.store, NAME)
    assert [stop.cloud for stop in all_stops(desk.store)] == ["", "other"]


def test_a_run_that_began_before_its_controller_died_is_not_begun_twice(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    (one,) = desk.proposals()
    decide(desk.store, one.id, approve=True, by="mai", why="", now=datetime.now(UTC))
    run, _ = submit(desk.store, proposed_plan(desk.store, one.id), NAME, one.policy, desk.filed.now())
    assert desk.again().begin_approved() == []
    assert [(p.state, p.run_id) for p in desk.proposals()] == [("begun", run)]
    assert [r.id for r in desk.runs()] == [run]


def test_a_plan_that_no_longer_fits_the_cloud_is_stale(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("approve")
    desk.look()
    (one,) = desk.proposals()
    decide(desk.store, one.id, approve=True, by="mai", why="", now=datetime.now(UTC))
    with desk.filed._open() as c:
        c.execute("delete from servers")
    desk.cloud._read = None
    assert desk.reconciler.begin_approved() == []
    (now,) = desk.proposals()
    assert now.state == "stale"
    assert "does not exist any more" in now.why


def test_nothing_begins_by_itself_while_a_server_is_left_out_of_its_orchestrator(
    sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = sit("automatic")
    left = (Finding("node-7", "left-out", "is out of service in k8s: r-1", "error"),)
    monkeypatch.setattr(type(desk.cloud), "left_out", lambda self: left)
    look = desk.look()
    assert look.doing == "nothing: node-7 out of service; put back first (watari members attach)"
    assert (look.findings, desk.proposals()) == (left, [])


def test_status_tells_what_was_seen_and_when_nobody_looks(sit: Sit) -> None:
    desk = sit("suggest")
    desk.look()
    (one,) = statuses(desk.store)
    assert (one.cloud, one.mode, one.starved, one.trouble) == (NAME, "suggest", 6, "")
    assert one.doing == f"{desk.proposals()[0].id} is suggested: {desk.proposals()[0].operations} operations"
    set_stop(desk.store, NAME, "mai", "flaps", NOW)
    assert statuses(desk.store)[0].trouble.startswith("stopped: flaps")
    desk.lease.release()
    (one,) = statuses(desk.store)
    assert (one.controller, one.trouble.startswith("nobody has looked after it for")) == ("", True)


def test_servers_that_are_off_do_not_hide_that_the_meter_is_blind(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("automatic")
    desk.look()
    read = desk.filed.inventory()
    off = {id: replace(s, status="SHUTOFF") if id == "s6" else s for id, s in read.servers.items()}
    monkeypatch.setattr(type(desk.cloud), "inventory", lambda self, most_s=0.0: replace(read, servers=off))
    desk.filed.set(meter="blind")
    look = desk.look()
    assert (look.servers, look.measured) == (7, 0)
    assert look.trouble == "no decision: 7 of 7 servers that run send no usable load"
    assert desk.states() == ["replaced"], "the plan of before does not begin"


def test_a_meter_that_falls_silent_withdraws_no_plan_that_waits_for_a_person(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    desk.filed.set(meter="blind")
    assert desk.look().trouble
    assert desk.states() == ["waiting"]


def test_some_who_send_nothing_are_a_finding(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("observe")
    known = desk.filed.loads
    monkeypatch.setattr(desk.filed, "loads", lambda servers: {k: v for k, v in known(servers).items() if k != "s6"})
    look = desk.look()
    assert look.trouble == ""
    assert [(f.code, f.text) for f in look.findings] == [("no-data", "1 of 8 servers that run send no usable load")]


def test_what_the_policy_approved_does_not_begin_after_the_meter_fell_silent(sit: Sit) -> None:
    desk = sit("automatic")
    desk.look()
    set_stop(desk.store, NAME, "mai", "flaps", NOW)
    assert desk.reconciler.begin_approved() == []
    desk.filed.set(meter="away")
    desk.look()
    lift_stop(desk.store, NAME)
    assert (desk.reconciler.begin_approved(), desk.states()) == ([], ["replaced"])


def test_a_left_out_server_takes_back_what_has_not_begun(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("automatic")
    run = begun(desk)
    left = (Finding("node-7", "left-out", "is out of service in k8s: r-1", "error"),)
    monkeypatch.setattr(type(desk.cloud), "left_out", lambda self: left)
    desk.look()
    assert {o.state for o in load_run(desk.store, run).operations} == {"skipped"}


def test_a_request_that_may_still_be_heard_is_not_taken_back(sit: Sit) -> None:
    desk = sit("automatic")
    run = begun(desk)
    record = load_run(desk.store, run).operations[0]
    record.steps[0].asked_at = desk.filed.now()
    with desk.store.writing() as c:
        mine = (operations.c.run_id == run, operations.c.id == record.operation.id)
        c.execute(operations.update().where(*mine).values(steps=columns_of(record)["steps"], changed=desk.store.now))
    desk.filed.set(meter="away")
    desk.look()
    states = {o.operation.id: o.state for o in load_run(desk.store, run).operations}
    assert states.pop(record.operation.id) == "pending"
    assert set(states.values()) == {"skipped"}


def test_what_the_cloud_does_not_let_us_do_is_said_and_the_looks_go_on(
    sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = sit("approve")
    desk.look()
    decide(desk.store, desk.proposals()[0].id, approve=True, by="mai", why="", now=datetime.now(UTC))

    def refused(self: object, most_s: float = 0.0) -> None:
        raise Permanent("401: the password is wrong")

    monkeypatch.setattr(type(desk.cloud), "inventory", refused)
    assert desk.reconciler.begin_approved() == []
    assert [(p.state, p.why) for p in desk.proposals()] == [("stale", "401: the password is wrong")]
    assert desk.look().trouble == "no decision: 401: the password is wrong"


def test_a_living_controller_is_never_put_out_of_its_place(sit: Sit) -> None:
    desk = sit("observe")
    other = Lease(desk.store)
    other.executor = "another"
    place = Place(desk.store, other, NAME)
    assert place.hold() == f"{socket.gethostname()} pid {os.getpid()}"
    desk.reconciler.place.release()
    assert place.hold() == ""
    with pytest.raises(Lost, match="another controller"):
        desk.look()


def test_what_could_not_begin_at_its_look_is_decided_anew(sit: Sit) -> None:
    desk = sit("automatic")
    desk.look()
    desk.again()  # another process, after the first died before it began
    desk.look()
    first, second = desk.proposals()
    assert (first.state, first.why, second.state) == ("replaced", f"by {second.id}", "approved")
    desk.reconciler.withdraw_undecided()
    assert (desk.reconciler.begin_approved(), desk.states()) == ([], ["replaced", "replaced"])


def test_a_run_of_a_person_goes_first(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    decide(desk.store, desk.proposals()[0].id, approve=True, by="mai", why="", now=datetime.now(UTC))
    (run,) = desk.reconciler.begin_approved()
    desk.write("automatic")
    assert desk.look().doing == f"{run} is running: planned anew when it is over"
    assert [row.id for row in desk.runs()] == [run]


def test_an_automatic_run_is_planned_anew_under_another_policy(sit: Sit) -> None:
    desk = sit("automatic")
    run = begun(desk)
    desk.write("automatic", "budgets: {total: 1}\n")
    desk.look()
    assert {o.state for o in load_run(desk.store, run).operations} == {"skipped"}
    assert len(desk.reconciler.begin_approved()) == 1


def test_a_plan_about_servers_that_fell_silent_stays_for_the_person(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("approve")
    desk.look()
    (one,) = desk.proposals()
    known, silent = desk.filed.loads, {f"s{i}" for i in range(4)}
    monkeypatch.setattr(desk.filed, "loads", lambda ids: {k: v for k, v in known(ids).items() if k not in silent})
    look = desk.look()
    assert (look.trouble, look.measured) == ("", 4)
    assert desk.proposals() == [one]


def test_servers_that_our_own_runs_have_out_are_no_finding(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("observe")
    out = (Finding("m0", "left-out", "is out of service in pool: r-1", "error"),)
    monkeypatch.setattr(type(desk.cloud), "left_out", lambda self: out)
    assert desk.look().findings == out
    step, move_ = Detach(ServerId("s0"), "pool", "m0", 30.0), move("1", "s0", "h1", "h2")
    plan = Plan("p-00000000", "drain", NAME, NOW, NOW + timedelta(days=9), "", "", (replace(move_, steps=(step,)),))
    run, _ = submit(desk.store, plan, NAME, ("", "p.yaml"), NOW)
    with desk.store.writing() as c:
        c.execute(operations.update().where(operations.c.run_id == run).values(state="running", changed=1e12))
    assert desk.look().findings == ()


def test_a_bug_in_beginning_one_keeps_no_look(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("approve")
    desk.look()
    decide(desk.store, desk.proposals()[0].id, approve=True, by="mai", why="", now=datetime.now(UTC))
    monkeypatch.setattr("watari.app.runs.check", lambda plan, cloud: 1 / 0)
    assert desk.reconciler.begin_approved() == []
    assert "is approved" in desk.look().doing


def test_a_blind_meter_is_not_told_as_zero_starved(sit: Sit) -> None:
    desk = sit("observe")
    desk.look()
    desk.filed.set(meter="blind")
    assert desk.look().starved is None
