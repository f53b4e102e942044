"""The way back of a run: newest first, hosts first, nothing that is gone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from watari.model.compute import HostName, ServerId
from watari.plan.inverse import inverse
from watari.plan.plan import Cost, Operation, OperationId, Plan
from watari.plan.steps import Attach, Detach, DisableHost, EnableHost, LiveMigrate, Step

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
A, B = ServerId("a"), ServerId("b")
H1, H2, H3 = HostName("h1"), HostName("h2"), HostName("h3")


def operation(n: int, subject: str, step: Step, seconds: float = 10.0) -> Operation:
    return Operation(OperationId(str(n)), subject, subject, "az1", "", 1, (step,), Cost(1024, seconds=seconds))


def back(*done: Operation, exist: frozenset[ServerId] = frozenset({A, B})) -> Plan:
    plan = Plan("p-12345678", "drain", "c", NOW, NOW, "", "", done)
    return inverse(plan, done, NOW, exist)


def test_newest_first_and_a_host_waits_until_its_room_is_given_back() -> None:
    made = back(operation(1, A, LiveMigrate(A, H1, H2)), operation(2, B, LiveMigrate(B, H3, H1)))
    assert [(op.subject, op.source, op.target, op.waits_for) for op in made.operations] == [
        (B, H1, H3, ()),
        (A, H2, H1, ("1",)),
    ]


def test_moves_off_the_same_host_go_back_together() -> None:
    made = back(operation(1, A, LiveMigrate(A, H1, H2)), operation(2, B, LiveMigrate(B, H1, H2)))
    assert [op.waits_for for op in made.operations] == [(), ()]


def test_a_host_that_is_disabled_still_is_enabled_first() -> None:
    made = back(operation(1, H1, DisableHost(H1, "drain")), operation(2, A, LiveMigrate(A, H1, H2)))
    assert [str(op.steps[0]) for op in made.operations] == ["enable h1", "live-migrate a h2 -> h1"]
    assert made.operations[1].waits_for == ("1",)


def test_a_host_that_was_enabled_again_is_left_alone() -> None:
    done = operation(1, H1, DisableHost(H1, "drain")), operation(2, H1, EnableHost(H1, "drain"))
    assert back(*done).operations == ()


def test_a_server_that_is_gone_is_said_and_the_others_go_back() -> None:
    moves = operation(1, A, LiveMigrate(A, H1, H2)), operation(2, B, LiveMigrate(B, H1, H2))
    made = back(*moves, exist=frozenset({A}))
    assert [op.subject for op in made.operations] == [A]
    assert [(r.subject, r.code) for r in made.refusals] == [(B, "gone")]


def test_a_long_way_back_does_not_expire_in_the_middle() -> None:
    moves = [operation(n, A, LiveMigrate(A, H1, H2), seconds=90.0) for n in range(200)]
    assert back(*moves).expires_at - NOW > timedelta(hours=5)


def test_the_way_back_goes_through_the_same_orchestrators() -> None:
    steps = (
        Detach(A, "k8s", "n1", 60.0, was="fit"),
        LiveMigrate(A, H1, H2, 100.0),
        Attach(A, "k8s", "n1", 60.0, was="fit"),
    )
    made = back(replace(operation(1, A, steps[1]), steps=steps))
    assert made.operations[0].steps == (
        Detach(A, "k8s", "n1", 60.0),
        LiveMigrate(A, H2, H1),
        Attach(A, "k8s", "n1", 60.0),
    )
