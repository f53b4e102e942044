"""What a controller does in each mode, and what it never does."""

from datetime import UTC, datetime, timedelta

import pytest

from durable.serving.conftest import Desk, Sit
from durable.serving.metered_cloud import NAME
from watari.act.durable.proposals import Proposal, decide, proposed_plan, prune
from watari.act.durable.records import entries_of
from watari.errors import BadInput

TWO_CROWDS = {f"s{i}": "h1" for i in range(6)} | {f"t{i}": "h2" for i in range(6)}
T_RESTS, S_RESTS = ({f"{crowd}{i}": 0.1 for i in range(6)} for crowd in "ts")


def answer(desk: Desk, one: Proposal, *, approve: bool = True, why: str = "") -> Proposal:
    return decide(desk.store, one.id, approve=approve, by="mai", why=why, now=datetime.now(UTC))


def test_off_reads_nothing(sit: Sit) -> None:
    desk = sit("off")
    desk.filed.set(meter="away")
    look = desk.look()
    assert (look.starved, look.trouble, look.servers) == (None, "", 0)


def test_observing_it_measures_and_proposes_nothing(sit: Sit) -> None:
    desk = sit("observe")
    look = desk.look()
    assert (look.hosts, look.servers, look.measured, look.starved) == (3, 8, 8, 6)
    assert (desk.proposals(), desk.runs(), look.trouble) == ([], [], "")


def test_suggesting_it_keeps_one_plan_to_look_at(sit: Sit) -> None:
    desk = sit("suggest")
    desk.look()
    (one,) = desk.proposals()
    assert (one.state, one.starved, one.decided_by) == ("suggested", 6, "")
    assert len(proposed_plan(desk.store, one.id).operations) == one.operations > 0
    assert desk.look().doing == f"{one.id} is suggested: {one.operations} operations"
    assert desk.proposals() == [one], "what people read does not change under their eyes"
    with pytest.raises(BadInput, match=r"is suggested; balance is in mode suggest: save it .* set serve.balance to"):
        answer(desk, one)
    assert (desk.reconciler.begin_approved(), desk.runs()) == ([], [])


def test_nothing_moves_before_a_person_agrees(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    assert (desk.reconciler.begin_approved(), desk.runs()) == ([], [])
    (one,) = desk.proposals()
    assert one.state == "waiting"
    assert answer(desk, one, why="change 815").decided_by == "mai"
    (run,) = desk.reconciler.begin_approved()
    (now,) = desk.proposals()
    assert (now.state, now.run_id, now.why, now.decided_by) == ("begun", run, "change 815", "mai")
    assert ([r.id for r in desk.runs()], desk.begun) == ([run], [run])
    assert answer(desk, one).state == "begun", "the same answer again changes nothing"
    assert desk.reconciler.begin_approved() == []


def test_while_a_run_goes_on_people_are_not_asked_about_the_rest_of_it(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    answer(desk, desk.proposals()[0])
    (run,) = desk.reconciler.begin_approved()
    assert desk.look().doing == f"{run} is running: planned anew when it is over"
    assert desk.states() == ["begun"]


def test_a_rejected_plan_is_not_proposed_again_but_more_than_that_is(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    one = answer(desk, desk.proposals()[0], approve=False, why="a backup")
    assert "mai rejected this until" in desk.look().doing
    assert desk.states() == ["rejected"]
    with pytest.raises(BadInput, match="it is rejected by mai: a backup"):
        answer(desk, one)
    with desk.filed._open() as c:  # two more come, and they starve as well
        c.executemany("insert into servers values (?, 'h1')", [("s8",), ("s9",)])
    desk.look()
    assert desk.states() == ["rejected", "waiting"]
    assert not desk.proposals()[1].subjects <= one.subjects


def test_a_plan_that_nobody_needs_any_more_is_withdrawn(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    desk.filed.set(wants={f"s{i}": 0.1 for i in range(8)})
    desk.look()
    (one,) = desk.proposals()
    assert (one.state, one.why) == ("replaced", "no server is known to need it any more")
    with pytest.raises(BadInput, match="it is replaced: no server is known to need it any more"):
        answer(desk, one)


def test_a_plan_that_wants_others_moved_takes_its_place(sit: Sit) -> None:
    desk = sit("suggest", servers=TWO_CROWDS)
    desk.filed.set(wants=T_RESTS)
    desk.look()
    desk.filed.set(wants=S_RESTS)
    desk.look()
    first, second = desk.proposals()
    assert (first.state, first.why) == ("replaced", f"by {second.id}")
    assert first.subjects != second.subjects


def test_a_change_of_mode_withdraws_what_waits(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    desk.write("observe")
    desk.look()
    (one,) = desk.proposals()
    assert (one.state, one.why) == ("replaced", "serve.balance is observe now")


def test_what_nobody_decided_expires_and_is_proposed_anew(sit: Sit) -> None:
    desk = sit("approve", "expires: 1 s\n")
    desk.look()
    (one,) = desk.proposals()
    late = one.expires_at + timedelta(seconds=1)
    with pytest.raises(BadInput, match=f"{one.id} expired at"):
        decide(desk.store, one.id, approve=True, by="mai", why="", now=late)
    while datetime.now(UTC) < late:
        desk.filed.sleep(0.1)
    desk.look()
    assert desk.states() == ["expired", "waiting"]


def test_automatic_begins_at_once_and_says_who_decided(sit: Sit) -> None:
    desk = sit("automatic")
    desk.look()
    (run,) = desk.reconciler.begin_approved()
    (one,) = desk.proposals()
    assert (one.state, one.run_id, one.decided_by) == ("begun", run, f"policy {desk.policy}")


def test_automatic_goes_on_with_a_run_that_is_still_right(sit: Sit) -> None:
    desk = sit("automatic")
    desk.look()
    (run,) = desk.reconciler.begin_approved()
    assert desk.look().doing == f"{run} goes on"
    assert len(desk.runs()) == 1


def test_automatic_plans_anew_what_has_not_begun(sit: Sit) -> None:
    desk = sit("automatic", servers=TWO_CROWDS)
    desk.filed.set(wants=T_RESTS)
    desk.look()
    (first,) = desk.reconciler.begin_approved()
    desk.filed.set(wants=S_RESTS)
    desk.look()
    (second,) = desk.reconciler.begin_approved()
    old, new = desk.runs()
    assert (old.id, new.id) == (first, second)
    assert (old.counts, old.ended_at is not None) == ({"skipped": sum(old.counts.values())}, True)
    assert new.ended_at is None


def test_when_it_is_calm_again_what_has_not_begun_is_forgotten(sit: Sit) -> None:
    desk = sit("automatic")
    desk.look()
    desk.reconciler.begin_approved()
    desk.filed.set(wants={f"s{i}": 0.1 for i in range(8)})
    desk.look()
    (run,) = desk.runs()
    assert set(run.counts) == {"skipped"}


def test_in_quiet_hours_it_begins_no_run_that_could_only_wait(sit: Sit) -> None:
    hour, now = timedelta(hours=1), datetime.now(UTC)
    desk = sit("automatic", f'budgets: {{quiet: ["{now - hour:%H:%M}-{now + hour:%H:%M}"]}}\n')
    assert "quiet hours" in desk.look().doing
    assert (desk.proposals(), desk.runs()) == ([], [])


def test_what_a_person_agreed_to_is_not_replaced_by_a_newer_plan(sit: Sit) -> None:
    desk = sit("approve", servers=TWO_CROWDS)
    desk.filed.set(wants=T_RESTS)
    desk.look()
    one = answer(desk, desk.proposals()[0])
    desk.filed.set(wants=S_RESTS)
    assert desk.look().doing.startswith(f"{one.id} is approved")
    assert len(desk.reconciler.begin_approved()) == 1


def test_an_approval_can_be_taken_back_until_it_begins(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    one = answer(desk, desk.proposals()[0])
    assert answer(desk, one, approve=False, why="wait").state == "rejected"
    assert desk.reconciler.standing.begin(one, proposed_plan(desk.store, one.id), datetime.now(UTC)) is None
    assert (desk.reconciler.begin_approved(), desk.runs()) == ([], [])


def test_what_was_agreed_to_does_not_begin_once_the_mode_forbids_it(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    answer(desk, desk.proposals()[0])
    desk.write("observe")
    desk.reconciler.policy.look()
    assert desk.reconciler.begin_approved() == []
    assert [(p.state, p.why) for p in desk.proposals()] == [("replaced", "serve.balance is observe now")]


@pytest.mark.parametrize("mode", ["observe", "suggest", "approve", "off"])
def test_what_the_policy_approved_does_not_begin_after_a_restart_in_another_mode(sit: Sit, mode: str) -> None:
    desk = sit("automatic")
    desk.look()  # and dies before it begins
    desk.write(mode)
    desk.again()
    assert desk.reconciler.begin_approved() == []
    desk.look()
    assert (desk.proposals()[0].state, desk.runs()) == ("replaced", [])
    assert desk.reconciler.begin_approved() == []


def test_a_changed_policy_replaces_what_waits(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    desk.write("approve", "budgets: {total: 1}\n")
    desk.look()
    first, second = desk.proposals()
    assert (first.state, first.why, second.state) == ("replaced", "the policy has changed", "waiting")


def test_a_run_that_was_stopped_and_left_holds_up_nothing(sit: Sit) -> None:
    desk = sit("approve")
    desk.look()
    answer(desk, desk.proposals()[0])
    assert len(desk.reconciler.begin_approved()) == 1
    with desk.store.writing() as c:
        c.exec_driver_sql("update watari_runs set stopping = 1")
    desk.look()
    assert desk.states() == ["begun", "waiting"]
    assert desk.runs()[0].state == "stopped"


def test_plans_that_came_to_nothing_are_forgotten_and_decisions_are_not(sit: Sit) -> None:
    desk = sit("automatic")
    desk.look()
    (run,) = desk.reconciler.begin_approved()
    desk.write("observe")
    desk.look()
    assert [set(row.counts) for row in desk.runs()] == [{"skipped"}]
    desk.write("approve")
    desk.look()
    kept = answer(desk, desk.proposals()[-1], approve=False, why="no")
    with desk.store.writing() as c:
        prune(c, NAME, datetime.now(UTC) - timedelta(days=1))
    assert len(desk.proposals()) == 2, "not yet"
    with desk.store.writing() as c:
        prune(c, NAME, datetime.now(UTC) + timedelta(days=1))
    assert (desk.proposals(), desk.runs()) == ([kept], [])
    assert entries_of(desk.store, run) == []
