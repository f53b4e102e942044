"""What a balance brought: steal and load measured again once the meter has seen the new places."""

from collections.abc import Callable

from watari.act.durable.store import Store
from watari.act.journal import Run
from watari.app.clouds import Cloud
from watari.app.plans import plan_balance
from watari.errors import WatariError
from watari.policy.values import Policy


def starved_now(cloud: Cloud, policy: Policy) -> int | None:
    """How many servers are starved by the policy's limits; None when that cannot be known now."""
    try:
        made = plan_balance(cloud.snapshot(), policy)
    except WatariError:
        return None
    return None if any(f.code == "blind" for f in made.findings) else made.forecast.starved_before


def book(
    store: Store, run: Run, cloud: Cloud, policy: Policy, stopping: Callable[[], bool], say: Callable[[str], None]
) -> int | None:
    """Measure once the loads are of after the moves, and book the benefit. None: nothing could be measured."""
    return None
