"""The way back: a plan that returns every server that a run has moved, newest first."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from watari.model.compute import ServerId
from watari.model.reasons import Reason, Refusal
from watari.plan.codec import content_id
from watari.plan.plan import Operation, OperationId, Plan
from watari.plan.steps import MOVES, Attach, Detach, DisableHost, EnableHost, Move

JOB = "undo"
EXPIRES_S = 1800.0
SLACK = 3.0  # times the expected duration of all moves one after the other


def inverse(plan: Plan, done: Iterable[Operation], now: datetime, exist: Collection[ServerId]) -> Plan:
    """Undo the operations `done`, given in the order in which they ended; servers that do not `exist` are refused.

    Hosts that were disabled, and not enabled again since, come first: the cloud lets nothing onto them otherwise. A
    move back to a host waits for those that leave it and came there later: they may have taken its room. Each way
    back is a move of its own: it is checked, waits for budgets and may be refused like any other, and its server leaves
    and re-enters the same orchestrators.
    """
    ended = list(done)
    operations = [replace(op, id=OperationId(str(n)), wave=1) for n, op in enumerate(_hosts_back(ended), 1)]
    enabling = {op.subject: op.id for op in operations}
    leaving: dict[str, list[OperationId]] = {}
    gone = []
    for op in reversed([op for op in ended if op.move is not None]):
        assert op.move is not None
        if op.move.server not in exist:
            gone.append(Refusal(op.subject, "gone", "the server does not exist any more", name=op.name))
            continue
        wait = [enabling[op.source]] if op.source in enabling else []
        back = _returned(op, op.move, len(operations) + 1, (*wait, *leaving.get(op.source, ())))
        leaving.setdefault(op.target, []).append(back.id)
        operations.append(back)
    expires_s = max(EXPIRES_S, SLACK * sum(op.cost.seconds for op in operations))
    expires = now + timedelta(seconds=expires_s)
    made = Plan("", JOB, plan.cloud, now, expires, plan.id, plan.policy_digest, tuple(operations), tuple(gone))
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


def _returned(op: Operation, step: Move, n: int, waits_for: tuple[OperationId, ...]) -> Operation:
    assert isinstance(step, MOVES)
    why = Reason("undo", f"operation {op.id} moved it off {step.source}")
    back = replace(step, source=step.target, target=step.source, bandwidth_mib_s=None)
    steps = (back if s is step else replace(s, was="") if isinstance(s, Detach | Attach) else s for s in op.steps)
    return replace(
        op, id=OperationId(str(n)), wave=1, steps=tuple(steps), reasons=(why,), candidates=(), relieves=(),
        steal_before=None, steal_after=None, waits_for=waits_for, waits_why="",
    )  # fmt: skip
