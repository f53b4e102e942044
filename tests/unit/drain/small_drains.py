"""Small snapshots to drain, and what is read off the plans."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from watari.jobs.drain import DrainRequest, plan
from watari.model.compute import (
    ComputeSnapshot,
    Host,
    HostName,
    Load,
    Server,
    ServerGroup,
    ServerId,
    ZoneName,
)
from watari.plan.plan import Operation, Plan
from watari.policy.values import Drain, Policy

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
H1, H2, H3 = HostName("h1"), HostName("h2"), HostName("h3")


def host(name: HostName, **more: Any) -> Host:
    """24 threads, 512 GiB."""
    return replace(Host(name, ZoneName("az1"), 24.0, 512 * 1024, 8000), **more)


def server(name: str, on: HostName = H1, memory_gib: int = 16, **more: Any) -> Server:
    """4 vCPUs."""
    return Server(ServerId(name), name, on, 4, memory_gib * 1024, **more)


def snapshot(
    servers: Sequence[Server],
    hosts: Sequence[Host] = (),
    *,
    loads: Mapping[str, Load | None] | None = None,
    groups: Sequence[ServerGroup] = (),
    **more: Any,
) -> ComputeSnapshot:
    """Everybody asks for one core unless `loads` says otherwise; None: sends no data."""
    said = dict.fromkeys((s.id for s in servers), Load(0.0, 0.25, 1.0, NOON)) | dict(loads or {})
    return ComputeSnapshot(
        taken_at=NOON,
        hosts={h.name: h for h in hosts or (host(H1), host(H2), host(H3))},
        servers={s.id: s for s in servers},
        loads={ServerId(id): load for id, load in said.items() if load is not None},
        groups={g.id: g for g in groups},
        **more,
    )


def drain(cloud: ComputeSnapshot, *hosts: HostName, policy: Policy | None = None, **more: Any) -> Plan:
    return plan(cloud, policy or Policy(), DrainRequest(hosts or (H1,), **more))


def wanting(**keys: Any) -> Policy:
    """A policy that differs from the default in its section `drain`."""
    return Policy(drain=Drain(**keys))


def moves(made: Plan) -> list[Operation]:
    return [op for op in made.operations if op.move]


def refused(made: Plan) -> dict[str, str]:
    """Code by server."""
    return {refusal.label: refusal.code for refusal in made.refusals}


def found(made: Plan) -> list[str]:
    return [finding.code for finding in made.findings]
