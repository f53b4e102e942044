"""Plans of the made-up cloud: what a balance and a drain would want of it, with their reasons."""

from datetime import datetime, timedelta

from unit.web.fake_feed import FakeFeed
from watari.model.compute import HostName, ServerId
from watari.model.reasons import Candidate, Finding, Reason, Refusal
from watari.plan.plan import Cost, Forecast, HostForecast, Operation, OperationId, Plan
from watari.plan.steps import Attach, ColdMigrate, Detach, DisableHost, EnableHost, LiveMigrate, Step

RATE_MIB_S = 400.0
REFUSED = (
    ("cool-down", "moved 22 min ago; the cool-down is 60 min", "It is judged again in 38 min.", "az3-h05"),
    (
        "budget",
        "Kubernetes would not drain it: PodDisruptionBudget “api” allows 0 disruptions",
        "Start another pod of “api”, or widen its PodDisruptionBudget.",
        "az2-h03",
    ),
    ("pinned", "pinned by the server's metadata (watari:pin)", "openstack server unset --property watari:pin ID", ""),
)


def balance(feed: FakeFeed, id: str, made_at: datetime, *, cold: int = 0, most: int = 8) -> Plan:
    """Moves the worst servers of the fake cloud; `cold`: so many of them stop meanwhile."""
    moving = {flight["server"] for flight in feed.flights}
    wanted = [one["server"] for one in feed.state()["starved"] if one["server"] not in moving and one["to"] is not None]
    operations = tuple(_move(feed, n, server, n > most - cold) for n, server in enumerate(wanted[:most], 1))
    left = [one["server"] for one in feed.state()["starved"] if one["intent"] == "refused"][: len(REFUSED)]
    starved = len(feed.state()["starved"])
    forecast = Forecast(starved, max(3, starved - len(operations) - 6), 41.2, 8.7, 7, 2, _hosts(feed, operations))
    return Plan(
        id, "balance", "tokyo-1", made_at, made_at + timedelta(minutes=5), "9f2c41d0e7", "b4a11e0c55", operations,
        tuple(_refusal(feed, server, *why) for server, why in zip(left, REFUSED, strict=False)),
        (Finding("az3-h09", "blind", "sends no steal data for 6 min", help="Check watari-exporter on the host."),),
        forecast,
    )  # fmt: skip


def drain(feed: FakeFeed, id: str, made_at: datetime, host: str, most: int = 6) -> Plan:
    """Empties a host of the fake cloud and brings it back."""
    index = next(i for i, h in enumerate(feed.hosts) if h["name"] == host)
    servers = [server for server, at in enumerate(feed.host_of) if at == index][:most]
    disable = Operation(
        OperationId("1"), host, host, host[:3], "", 1, (DisableHost(HostName(host), "firmware, ticket 4711"),), Cost()
    )
    moves = tuple(_move(feed, n, server, False, after=("1",)) for n, server in enumerate(servers, 2))
    enable = Operation(
        OperationId(str(len(moves) + 2)), host, host, host[:3], "", 4, (EnableHost(HostName(host)),), Cost(),
        waits_for=tuple(op.id for op in moves), waits_why="the host has to be empty",
    )  # fmt: skip
    operations = (disable, *moves, enable)
    return Plan(
        id, "drain", "tokyo-1", made_at, made_at + timedelta(minutes=30), "9f2c41d0e7", "b4a11e0c55", operations,
        forecast=Forecast(17, 17, 41.2, 41.2, 7, 7, _hosts(feed, operations)),
    )  # fmt: skip


def _move(feed: FakeFeed, n: int, server: int, cold: bool, after: tuple[str, ...] = ()) -> Operation:
    host = feed.hosts[feed.host_of[server]]
    zone = host["zone"]
    cool = [i for i, h in enumerate(feed.hosts) if h["zone"] == zone and h["state"] == "up" and i not in feed.heat]
    cool = [i for i in cool if i not in (26, feed.host_of[server])]
    names = [feed.hosts[cool[(server + k) % len(cool)]]["name"] for k in range(4)]
    source, target = HostName(host["name"]), HostName(names[0])
    id, role, vcpu = ServerId(f"id-{server}"), feed.roles[server], feed.vcpu[server]
    kind = ColdMigrate if cold else LiveMigrate
    steps: tuple[Step, ...] = (kind(id, source, target, None),)
    if role == "web" and not cold:
        steps = (
            Detach(id, "haproxy", feed.names[server], 120.0),
            *steps,
            Attach(id, "haproxy", feed.names[server], 120.0),
        )
    memory, disk = 4096.0 * vcpu * 1.15, 20480.0 * vcpu if cold else 0.0
    steal, wave = max(0, feed.steal[server]) / 1000, 1 + (n - 1) // 4 + bool(after)
    seconds = (disk if cold else memory + disk) / RATE_MIB_S + 8
    return Operation(
        OperationId(str(n)), id, feed.names[server], zone, role, wave, steps,
        Cost(0.0 if cold else memory, disk, seconds, seconds if cold else 0.3),
        (Reason("drain", f"{source} is to be empty"),) if after else (
            Reason("steal", "steal", f"{100 * steal:.0f} %", "10 %"), Reason("load", "load per vCPU", "1.23", "1.0"),
        ),
        (
            Candidate(names[0], 0.31, 0.003, 1, 98_304, 0.62, "lowest steal after the move"),
            Candidate(names[1], 0.58, 0.006, 0, 65_536, 0.71, "steal 0.6 % against 0.3 %"),
            Candidate(names[2], 1.12, 0.004, 2, 131_072, 0.66, "2 web servers there already"),
            Candidate(names[3], None, None, 0, 6_144, 0.88, "6,144 MiB free, needs 16,384 MiB"),
        ),
        steal, 0.004 + 0.001 * (n % 3), (), tuple(map(OperationId, after or ((str(n - 4),) if wave > 1 else ()))),
        f"moves out of {source}: 2 of 2 at once in wave {wave - 1}" if wave > 1 and not after else "",
        cold, vcpu,
    )  # fmt: skip


def _hosts(feed: FakeFeed, operations: tuple[Operation, ...]) -> tuple[HostForecast, ...]:
    cpu = dict(zip((h["name"] for h in feed.hosts), feed.state()["host_cpu"], strict=True))
    starved: dict[str, int] = {}
    for one in feed.state()["starved"]:
        name = feed.hosts[feed.host_of[one["server"]]]["name"]
        starved[name] = starved.get(name, 0) + 1
    change: dict[str, float] = {}
    for op in operations:
        if op.move is not None:
            change[op.source] = change.get(op.source, 0.0) - op.vcpus / 60
            change[op.target] = change.get(op.target, 0.0) + op.vcpus / 70
    return tuple(
        HostForecast(name, cpu[name] / 1000, max(0.05, cpu[name] / 1000 + by), starved.get(name, 0), 0)
        for name, by in sorted(change.items())
    )


def _refusal(feed: FakeFeed, server: int, code: str, why: str, help: str, host: str) -> Refusal:
    misses = () if host else (Candidate("az1-h09", None, None, 0, 6_144, 0.9, "6,144 MiB free, needs 16,384 MiB"),)
    return Refusal(f"id-{server}", code, why, help, misses, feed.names[server])
