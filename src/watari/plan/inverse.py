"""The way back: a plan that returns every server that a run has moved, newest first."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from watari.model.reasons import Reason
from watari.plan.codec import content_id
from watari.plan.plan import Operation, OperationId, Plan
from watari.plan.steps import MOVES, DisableHost, EnableHost, Move

JOB = "undo"
EXPIRES_S = 1800.0


def inverse(plan: Plan, done: Iterable[Operation], now: datetime) -> Plan:
    """Undo the operations `done`, given in the order in which they ended.

    Hosts that were disabled, and not enabled again since, come first: the cloud lets nothing onto them otherwise. Each
    way back is a move of its own: it is checked, waits for budgets and may be refused like any other.
    """
    ended = list(done)
    back = _hosts_back(ended)
    moves = [op for op in reversed(ended) if op.move is not None]
    operations = [_numbered(op, n) for n, op in enumerate(back, 1)]
    enabling = {op.subject: op.id for op in operations}
    for n, op in enumerate(moves, len(operations) + 1):
        assert op.move is not None
        wait = enabling.get(op.source)
        operations.append(_returned(op, _reversed(op.move), n, () if wait is None else (wait,)))
    expires = now + timedelta(seconds=EXPIRES_S)
    made = Plan("", JOB, plan.cloud, now, expires, plan.id, plan.policy_digest, tuple(operations))
    return replace(made, id=content_id(made))


def _hosts_back(ended: list[Operation]) -> list[Operation]:
    """Operations that enable what is still disabled by the run."""
    disabled: dict[str, Operation] = {}
    for op in ended:
        for step in op.steps:
            if isinstance(step, DisableHost):
                enable = EnableHost(step.host, step.reason)
                disabled[step.host] = replace(op, steps=(enable,), subject=step.host, waits_for=(), reasons=())
            elif isinstance(step, EnableHost):
                disabled.pop(step.host, None)
    return list(disabled.values())


def _numbered(op: Operation, n: int) -> Operation:
    return replace(op, id=OperationId(str(n)), wave=1)


def _returned(op: Operation, step: Move, n: int, waits_for: tuple[OperationId, ...]) -> Operation:
    why = Reason("undo", f"operation {op.id} moved it off {step.target}")
    return replace(
        op, id=OperationId(str(n)), wave=1, steps=(step,), reasons=(why,), candidates=(), relieves=(),
        steal_before=None, steal_after=None, waits_for=waits_for, waits_why="",
    )  # fmt: skip


def _reversed(step: Move) -> Move:
    assert isinstance(step, MOVES)
    return replace(step, source=step.target, target=step.source)
