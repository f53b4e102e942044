"""Plans of chosen moves, written as `watari plan` would write them, for `watari apply`."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from watari.lab.spec import LabSpec
from watari.model.compute import HostName, Server
from watari.plan import codec
from watari.plan.plan import Cost, Operation, OperationId, Plan
from watari.plan.steps import LiveMigrate
from watari.policy.load import load_policy

WIDE: dict[str, str | int] = {
    "total": 96,  # other groups of tests move servers in their zones meanwhile
    "per_host_out": 12,
    "per_host_in": 12,
    "per_zone": 24,
    "per_role": 24,
    "move": "50 MiB/s",
}


def of_moves(
    spec: LabSpec, moves: Iterable[tuple[Server, str]], policy: Path | None = None, cloud: str = "lab"
) -> Plan:
    """Live moves of servers to hosts, valid for an hour, under that policy. Those of a drain: nobody measures after."""
    now = datetime.now(UTC).replace(microsecond=0)
    operations = tuple(_operation(spec, n, server, target) for n, (server, target) in enumerate(moves, 1))
    digest = load_policy(None if policy is None else str(policy)).digest
    plan = Plan("", "drain", cloud, now, now + timedelta(hours=1), "by-hand", digest, operations)
    return replace(plan, id=codec.content_id(plan))


def written(plan: Plan, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(codec.dumps(plan), encoding="utf-8")
    return path


def run_of(plan: Plan) -> str:
    """The id of the plan's run."""
    return f"r-{plan.id.removeprefix('p-')}"


def wide(folder: Path, at_once: int = 24, **budgets: str | int) -> Path:
    """A policy file with budgets that hold nothing back, but for `at_once` moves in a zone, and for `budgets`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "wide.yaml"
    zone = {key: min(at_once, value) for key, value in WIDE.items() if isinstance(value, int) and key != "total"}
    path.write_text(yaml.safe_dump({"name": "wide", "budgets": {**WIDE, **zone, **budgets}}), encoding="utf-8")
    return path


def _operation(spec: LabSpec, number: int, server: Server, target: str) -> Operation:
    step = LiveMigrate(server.id, server.host, HostName(target))
    cost = Cost(memory_mib=float(server.memory_mib), seconds=5.0)
    zone = spec.zone_of(server.host)
    return Operation(OperationId(str(number)), server.id, server.name, zone, "", 1, (step,), cost, vcpus=server.vcpus)
