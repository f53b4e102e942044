"""What a cloud's own record of moves lacks: requests that have no answer yet, and those that it refused."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from watari.act.journal import OperationRecord, StepRecord
from watari.model.compute import ComputeSnapshot, Flight, PastMove, ServerId
from watari.plan.steps import MOVES, Move
from watari.policy.values import Policy

SETTLED_S = 600.0  # longer than any window of a meter


def heeded(snapshot: ComputeSnapshot, policy: Policy) -> list[PastMove]:
    """The moves that some rule still looks at: no rule looks further back than its own time."""
    calm = policy.calm
    rests_s = max(calm.cool_down_s, calm.failed_cool_down_s, calm.no_help_cool_down_s)
    longest_s = max(rests_s, calm.no_return_s, calm.cycle_window_s, SETTLED_S)
    since = snapshot.taken_at - timedelta(seconds=longest_s)
    return [m for m in snapshot.past if m.ended > since]


def with_own(snapshot: ComputeSnapshot, records: Iterable[OperationRecord], policy: Policy) -> ComputeSnapshot:
    """The snapshot with what our own `records` say beyond it.

    Requests without an answer are as good as under way, and so is a server that leaves its orchestrators just now: no
    plan moves it elsewhere meanwhile. Refused requests count as failed moves: the same is not asked for in every round.
    """
    since = snapshot.taken_at - timedelta(seconds=policy.calm.failed_cool_down_s)
    asked: list[Flight] = []
    leaving: list[Flight] = []
    refused: list[PastMove] = []
    for record in records:
        for r in record.steps:
            step = r.step
            if r.handle is not None or not isinstance(step, MOVES):
                continue
            if _unanswered(r, step, snapshot):
                asked.append(Flight(step.server, step.source, step.target, r.asked_at or snapshot.taken_at))
            elif r.state == "failed" and r.ended_at and r.ended_at > since:
                refused.append(PastMove(step.server, step.source, step.target, r.ended_at, done=False))
        if (move := _leaves(record)) is not None and move.server in snapshot.servers:
            leaving.append(Flight(move.server, move.source, move.target, _since(record, snapshot.taken_at)))
    seen, own = {flight.server for flight in snapshot.flights}, dict[ServerId, Flight]()
    for flight in (f for f in (*asked, *leaving) if f.server not in seen):
        own.setdefault(flight.server, flight)
    return replace(snapshot, flights=(*snapshot.flights, *own.values()), past=(*snapshot.past, *refused))


def _unanswered(r: StepRecord, step: Move, snapshot: ComputeSnapshot) -> bool:
    server = snapshot.servers.get(step.server)
    return (
        r.state in ("intended", "pending") and r.asked_at is not None and server is not None
        and server.host == step.source
    )  # fmt: skip


def _leaves(record: OperationRecord) -> Move | None:
    """The move of an operation that has begun otherwise: its server moves as soon as it is empty."""
    moving = record.moving if record.under_way else None
    return moving.step if moving is not None and moving.state == "pending" and isinstance(moving.step, MOVES) else None


def _since(record: OperationRecord, now: datetime) -> datetime:
    return next((r.asked_at for r in record.steps if r.asked_at), now)
