"""Plan drains: ask the storage about the hosts, then the planner."""

from collections.abc import Iterable
from dataclasses import replace

from watari.app.plans import find_server
from watari.app.storage import storage_of
from watari.jobs import drain
from watari.jobs.drain import DrainRequest
from watari.model.compute import ComputeSnapshot
from watari.model.reasons import Finding
from watari.plan import render
from watari.plan.plan import Plan
from watari.policy.values import Policy


def asked(
    snapshot: ComputeSnapshot, policy: Policy, hosts: Iterable[str], reason: str = "", *, then_enable: bool = False
) -> DrainRequest:
    """The request, with the storage's word on every host. Raises BadInput for a host that does not exist."""
    names = drain.known_hosts(snapshot, hosts)
    storage = storage_of(policy)
    why = {} if storage is None else {name: storage.why_not_stop(name) for name in names}
    return DrainRequest(names, reason, then_enable, why)


def plan_drain(
    snapshot: ComputeSnapshot, policy: Policy, request: DrainRequest, findings: tuple[Finding, ...] = ()
) -> Plan:
    """Plan on one reading; what the reader of the file found comes first among the findings."""
    made = drain.plan(snapshot, policy, request)
    return replace(made, findings=(*findings, *made.findings)) if findings else made


def explain(snapshot: ComputeSnapshot, made: Plan, request: DrainRequest, server: str) -> list[str]:
    """What the drain does with this server (id or name). Raises BadInput for an unknown one."""
    found = snapshot.servers[find_server(snapshot, server)]
    if lines := render.explain(made, found.id):
        return lines
    if found.host in request.hosts:
        why = next((f"{f.subject} {f.text}" for f in made.findings if f.subject == found.host), "nothing was planned")
        return [f"{found.name} stays on {found.host}: {why}"]
    return [f"{found.name} runs on {found.host}, which is not drained, and stays"]
