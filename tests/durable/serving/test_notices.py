"""What a controller's looks tell: each beginning and each end once, over restarts, and only what is known."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from durable.rig import move
from durable.serving.conftest import Desk, Sit
from durable.serving.metered_cloud import NAME
from durable.serving.telling import Tell, codes, ops, teller, write
from watari.act.durable.leading import Place, forget
from watari.act.durable.lease import Lease, Lost
from watari.act.durable.notices import undelivered
from watari.act.durable.records import columns_of, load_run, submit
from watari.act.durable.stops import lift_stop, set_stop
from watari.act.durable.tables import notices, operations, runs
from watari.plan.plan import Plan


@pytest.fixture
def tell(sit: Sit, tmp_path: Path) -> Iterator[Tell]:
    with teller(sit, tmp_path) as made:
        yield made


def test_the_first_look_tells_in_one_what_is_wrong_and_what_waits(tell: Tell) -> None:
    telling = tell("approve", ops())
    set_stop(telling.desk.store, NAME, "mai", "the storage flaps", datetime.now(UTC))
    telling.look()
    (body,) = telling.take()
    (plan,) = telling.desk.proposals()
    assert (body["cloud"], body["first"], codes(body)) == (NAME, True, ["stopped"])
    assert body["began"][0]["text"].startswith("this cloud is stopped: the storage flaps (by mai, ")
    assert body["began"][0]["help"].endswith(f"watari go --cloud {NAME}")
    assert [(p["id"], p["approve"]) for p in body["plans"]] == [(plan.id, f"watari plans approve {plan.id}")]
    telling.look()
    assert telling.take() == []


def test_a_restart_tells_nothing_twice(tell: Tell) -> None:
    telling = tell("approve", ops())
    telling.desk.filed.set(meter="away")
    telling.look()
    assert len(telling.take()) == 1
    telling.begin()
    telling.look()
    assert telling.take() == []


def test_trouble_begins_at_once_and_ends_after_ten_minutes_without_it(tell: Tell) -> None:
    telling = tell("observe", ops())
    telling.look()
    assert telling.take() == [], "nothing is wrong"
    telling.desk.filed.set(meter="away")
    telling.look()
    (body,) = telling.take()
    assert (codes(body), body["summary"]) == (["undecided"], f"{NAME}: no decision: the meter does not answer")
    telling.desk.filed.set(meter="ok")
    telling.look()
    telling.look(5)
    assert telling.take() == []
    telling.look(6)
    (body,) = telling.take()
    assert (codes(body), codes(body, "resolved"), body["severity"]) == ([], ["undecided"], "info")


def test_a_stop_is_told_and_so_is_that_it_is_lifted(tell: Tell) -> None:
    telling = tell("observe", ops())
    set_stop(telling.desk.store, "", "mai", "upgrade", datetime.now(UTC))
    telling.look()
    lift_stop(telling.desk.store, "")
    telling.look()
    assert [(codes(b), codes(b, "resolved")) for b in telling.take()] == [(["stopped"], [])], "one at a time"
    telling.look()
    assert [codes(b, "resolved") for b in telling.take()] == [["stopped"]]


def test_findings_of_a_silent_cloud_are_not_resolved(tell: Tell) -> None:
    telling = tell("observe", ops())
    telling.desk.filed.set(meter="blind")
    telling.look()
    (body,) = telling.take()
    assert sorted(codes(body)) == ["no-data", "undecided"]
    telling.desk.filed.set(meter="away")
    for _ in range(5):
        telling.look(20)
    assert telling.take() == []


def test_mode_off_resolves_nothing(tell: Tell) -> None:
    telling = tell("observe", ops())
    telling.desk.policy.write_text("serve: {balance: sometimes}\n")
    look = telling.look()
    look.findings = (*look.findings, replace(look.findings[0], code="zone-full"))
    telling.take()
    telling.notices.tell(look)
    telling.take()
    telling.desk.write("off")
    for _ in range(3):
        telling.look(20)
    assert [codes(body, "resolved") for body in telling.take()] == [["policy-broken"]]


def ended_run(desk: Desk, id: str, **states: str) -> str:
    """A run of a person that ended just now, its operations in those states."""
    now = datetime.now(UTC) + timedelta(seconds=1)
    moves = tuple(move(name, name, "h1", "h2") for name in states)
    plan = Plan(id, "drain", NAME, now, now + timedelta(days=1), "", "", moves)
    run, _ = submit(desk.store, plan, NAME, ("", "p.yaml"), now)
    with desk.store.writing() as c:
        for record in load_run(desk.store, run).operations:
            record.state = states[record.operation.id]  # type: ignore[assignment]
            record.steps[0].note = f"{record.state}: 409 of {record.operation.id}"
            this = (operations.c.run_id == run, operations.c.id == record.operation.id)
            c.execute(operations.update().where(*this).values(columns_of(record)))
        c.execute(runs.update().where(runs.c.id == run).values(ended_at=now.isoformat()))
    return run


def test_a_run_that_ended_is_told_with_what_failed(tell: Tell) -> None:
    telling = tell("observe", ops())
    ended_run(telling.desk, "p-00000001", s0="done")
    with telling.desk.store.writing() as c:
        long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        c.execute(runs.update().values(ended_at=long_ago))
    telling.look()
    assert telling.take() == [], "it ended before anybody was told"
    run = ended_run(telling.desk, "p-00000002", s0="done", s1="skipped", s2="failed", s3="failed", s4="failed")
    with telling.desk.store.writing() as c:
        later = (datetime.now(UTC) + timedelta(minutes=1.5)).isoformat()
        c.execute(runs.update().where(runs.c.id == run).values(ended_at=later))
    telling.look()
    (body,) = telling.take()
    (told,) = body["runs"]
    assert (told["id"], told["state"], told["counts"]) == (run, "partly", {"done": 1, "skipped": 1, "failed": 3})
    assert told["not_done"] == [{"name": f"s{i}", "state": "failed", "note": f"failed: 409 of s{i}"} for i in (2, 3, 4)]
    assert body["severity"] == "warning"
    telling.look()
    assert telling.take() == []


def test_an_automatic_run_that_was_taken_back_is_no_news(tell: Tell) -> None:
    telling = tell("automatic", ops())
    telling.look()
    (run,) = telling.desk.reconciler.begin_approved()
    telling.desk.filed.set(meter="away")
    telling.look()
    with telling.desk.store.writing() as c:
        later = (datetime.now(UTC) + timedelta(minutes=2.5)).isoformat()
        c.execute(runs.update().where(runs.c.id == run).values(ended_at=later))
    telling.take()
    telling.look()
    assert [body["runs"] for body in telling.take()] == []


def test_a_new_target_is_told_what_is_wrong_and_a_removed_one_is_forgotten(tell: Tell, tmp_path: Path) -> None:
    telling = tell("observe", ops())
    telling.desk.filed.set(meter="away")
    telling.look()
    write(
        tmp_path, ops(name="second"), ops(name="deaf", more=", about: [plans]"), ops(name="far", more=", clouds: [x]")
    )
    telling.look()
    ((name, body),) = telling.waiting()
    assert (name, body["first"], codes(body)) == ("second", True, ["undecided"])
    with telling.desk.store.reading() as c:
        assert set(c.execute(sa.select(notices.c.target)).scalars()) == {"second", "deaf"}


def test_only_whoever_has_the_place_tells(tell: Tell) -> None:
    telling = tell("observe", ops())
    other = Lease(telling.desk.store)
    other.executor = "another"
    telling.desk.filed.set(meter="away")
    look = telling.desk.look()
    telling.desk.reconciler.place.release()
    assert Place(telling.desk.store, other, NAME).hold() == ""
    with pytest.raises(Lost):
        telling.notices.tell(look)
    assert telling.waiting() == []


def test_what_is_new_while_a_message_waits_comes_in_one(tell: Tell) -> None:
    telling = tell("observe", ops())
    telling.desk.filed.set(meter="away")
    telling.look()
    set_stop(telling.desk.store, NAME, "mai", "flaps", datetime.now(UTC))
    telling.desk.policy.write_text("")
    for _ in range(5):
        telling.look()
    assert [codes(body) for body in telling.take()] == [["undecided"]]
    telling.look()
    assert [sorted(codes(body)) for body in telling.take()] == [["policy-broken", "stopped"]]


def test_a_bug_in_telling_is_logged_and_keeps_nothing_else(
    tell: Tell, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    telling = tell("observe", ops())
    monkeypatch.setattr("watari.app.serving.notices.news", lambda *_: 1 / 0)
    telling.look()
    assert "ZeroDivisionError" in caplog.text


def test_what_another_version_has_kept_is_told_anew(tell: Tell, caplog: pytest.LogCaptureFixture) -> None:
    telling = tell("observe", ops())
    telling.desk.filed.set(meter="away")
    telling.look()
    telling.take()
    for body in ('{"form": 99, "state": {}}', '{"form": 1, "state": {"told": 1}}', "[]"):
        with telling.desk.store.writing() as c:
            c.execute(notices.update().values(body=body))
        telling.look()
        assert [body["first"] for body in telling.take()] == [True]
    assert "is told anew" in caplog.text


def test_a_cloud_that_is_forgotten_leaves_no_message(tell: Tell) -> None:
    telling = tell("observe", ops())
    telling.desk.filed.set(meter="away")
    telling.look()
    telling.desk.lease.release()
    forget(telling.desk.store, NAME)
    with telling.desk.store.reading() as c:
        assert (undelivered(c, NAME), list(c.execute(sa.select(notices)))) == (set(), [])
