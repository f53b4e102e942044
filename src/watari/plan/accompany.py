"""Take servers out of their orchestrators before they move, and put them back after: steps of the same operation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from watari.model.compute import Membership, ServerId
from watari.plan.plan import Operation
from watari.plan.steps import Attach, Detach, Step
from watari.policy.values import Orchestration


def accompanied(
    op: Operation, memberships: Mapping[ServerId, tuple[Membership, ...]], orchestration: Orchestration
) -> Operation:
    """The operation with its move between leaving all orchestrators, in their order, and coming back in reverse.

    One that moves nothing, or whose server is nobody's member, is as it was.
    """
    move = op.move
    members = memberships.get(move.server, ()) if move else ()
    if move is None or not members:
        return op
    detaching: list[Step] = [
        Detach(move.server, m.orchestrator, m.member, orchestration.detach_deadline_s) for m in members
    ]
    attaching: list[Step] = [
        Attach(move.server, m.orchestrator, m.member, orchestration.attach_deadline_s) for m in reversed(members)
    ]
    at = op.steps.index(move)
    return replace(op, steps=(*op.steps[:at], *detaching, move, *attaching, *op.steps[at + 1 :]))


def with_memory(step: Step, before: Sequence[Step]) -> Step:
    """An Attach knows from the Detach before it, in the same operation, what it has to give back."""
    if not isinstance(step, Attach):
        return step
    was = (d.was for d in before if isinstance(d, Detach) and d.membership == step.membership)
    return replace(step, was=next(was, step.was))


def orchestrators_of(op: Operation) -> tuple[str, ...]:
    """The orchestrators of which the operation takes a member out of service for a while."""
    return tuple(step.orchestrator for step in op.steps if isinstance(step, Detach))
