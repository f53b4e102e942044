"""A plan that is done is done: planning again on what it made of the cloud asks for nothing that it could not foresee.

"Planning again after any prefix gives the rest" does not hold move by move, and must not: a place that a move leaves
is taken as given back only when the move is over, so the second plan may choose better hosts and cheaper servers than
the first could. What holds is said here, per host that was in need.
"""

from collections import Counter
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from strategies import after_moves, contended
from watari.jobs.balance import plan
from watari.model.compute import ComputeSnapshot, ServerId
from watari.plan.plan import Plan
from watari.policy.values import Policy

POLICY = Policy()
FEW = settings(max_examples=100)


def sources(made: Plan) -> Counter[str]:
    """Moves away from each host."""
    return Counter(str(op.source) for op in made.operations)


def relieved_hosts(made: Plan) -> set[str]:
    """Hosts that the plan says will have enough for everybody."""
    return {host.host for host in made.forecast.hosts if host.cpu_after <= 1 and not host.starved_after}


def carried_out(cloud: ComputeSnapshot, made: Plan, only: set[str]) -> ComputeSnapshot:
    """The cloud after the plan's moves away from the hosts of `only`."""
    moves = {ServerId(op.subject): op.target for op in made.operations if op.source in only}
    return after_moves(cloud, moves)


@FEW
@given(contended())
def test_after_a_plan_that_relieves_everybody_there_is_nothing_to_do(cloud: ComputeSnapshot) -> None:
    made = plan(cloud, POLICY)
    assume(made.operations and not made.forecast.starved_after and not made.forecast.over_after)
    again = plan(carried_out(cloud, made, set(sources(made))), POLICY)
    assert not again.operations
    assert not again.refusals


@FEW
@given(contended(), st.data())
def test_a_host_that_was_relieved_or_received_is_left_alone(cloud: ComputeSnapshot, data: st.DataObject) -> None:
    """However many hosts of the plan have had their turn, whole, and whatever is still to be done elsewhere."""
    made = plan(cloud, POLICY)
    assume(made.operations)
    turned = {host for host in sources(made) if data.draw(st.booleans(), label=f"had its turn: {host}")}
    again = plan(carried_out(cloud, made, turned), POLICY)
    received = {str(op.target) for op in made.operations}
    assert not set(sources(again)) & ((relieved_hosts(made) & turned) | received)


@FEW
@given(contended(), st.data())
def test_the_rest_takes_as_many_moves_as_planned(cloud: ComputeSnapshot, data: st.DataObject) -> None:
    """Per host in need, if both plans found a place for everybody they chose: the fewest that relieve it are as many
    whoever else has been helped meanwhile."""
    made = plan(cloud, POLICY)
    assume(made.operations)
    turned = {host for host in sources(made) if data.draw(st.booleans(), label=f"had its turn: {host}")}
    again = plan(carried_out(cloud, made, turned), POLICY)
    unplaced = {refusal.code for refusal in (*made.refusals, *again.refusals)} & {"no-destination", "too-small"}
    assume(not unplaced and not made.forecast.over_after and not again.forecast.over_after)
    rest = {host: moves for host, moves in sources(made).items() if host not in turned}
    assert dict(sources(again)) == rest


@FEW
@given(contended())
def test_equal_arguments_give_equal_plans(cloud: ComputeSnapshot) -> None:
    assert plan(cloud, POLICY) == plan(replace(cloud), POLICY)
