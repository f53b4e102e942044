"""Plans that people ask for, on a reading of the cloud made now."""

from watari.app.clouds import snapshot_of
from watari.app.drain import asked, plan_drain
from watari.app.plans import plan_balance
from watari.plan.plan import Plan
from watari.policy.values import Policy
from watari.web.api import models as m


def made_plan(wanted: m.PlanRequest, policy: Policy) -> Plan:
    """Read the cloud and plan: as long as that takes. Raises what the cloud says, BadInput for hosts that are none."""
    drains = isinstance(wanted, m.DrainRequest)
    snapshot, findings = snapshot_of(wanted.cloud, None, need_loads=not drains)
    if not isinstance(wanted, m.DrainRequest):
        return plan_balance(snapshot, policy, findings)
    request = asked(snapshot, policy, wanted.hosts, wanted.why, then_enable=wanted.then == "enable")
    return plan_drain(snapshot, policy, request, findings)
