"""A cloud that a test tells what it is, and who keeps its history."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from durable.serving.recording import START
from watari.act.durable import histories
from watari.act.durable.leading import Place
from watari.act.durable.lease import Lease
from watari.act.durable.store import Store
from watari.app.history.recorded import Source
from watari.app.history.recorder import Recorder
from watari.app.history.slots import Slot, window_of
from watari.jobs.placement.world import read_loads
from watari.model.compute import (
    ComputeSnapshot,
    GroupId,
    Host,
    HostName,
    Load,
    Server,
    ServerGroup,
    ServerId,
    ZoneName,
)
from watari.policy.load import parse_policy
from watari.policy.values import Policy

CLOUD = "prod"
DEFAULT = Policy()
EIGHT_HOURS = parse_policy("serve: {history: 8 h}", "p.yaml")
HOSTS = {HostName(f"h{k}"): Host(HostName(f"h{k}"), ZoneName("az1"), 8, 65536, 1000) for k in range(3)}


def server(id: str, host: str = "h0", **more: object) -> Server:
    return replace(Server(ServerId(id), id, HostName(host), 4, 4096), **more)  # type: ignore[arg-type]


@dataclass(slots=True)
class Book:
    """A cloud that a test tells what it is, and who keeps its history."""

    store: Store
    lease: Lease
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.again()

    def again(self) -> None:
        """Another process."""
        place = Place(self.store, self.lease, CLOUD)
        assert place.hold() == ""
        self.recorder = Recorder(place)

    def look(
        self,
        minutes: float,
        loads: Mapping[str, tuple[float, float, float]],
        servers: list[Server] | None = None,
        policy: Policy = DEFAULT,
        groups: Mapping[GroupId, ServerGroup] | None = None,
        **more: Load,
    ) -> None:
        """A look so long after START. `loads`: steal, load per vCPU, cores; servers are those, unless given."""
        at = START + timedelta(minutes=minutes)
        there = servers if servers is not None else [server(id) for id in loads]
        found = {ServerId(id): Load(*values, at) for id, values in loads.items()}
        found |= {ServerId(id): load for id, load in more.items()}
        snapshot = ComputeSnapshot(at, HOSTS, {s.id: s for s in there}, found, groups or {})
        self.recorder.look(snapshot, read_loads(snapshot, policy.detect.stale_after_s), policy)

    def slots(self) -> list[Slot]:
        """All that is kept."""
        source = Source("", CLOUD)
        begins = {
            *histories.window_begins(self.store, CLOUD),
            *map(window_of, histories.slot_begins(self.store, CLOUD)),
        }
        return [slot for begin in sorted(begins) for slot in source.slots(self.store, begin)[0]]

    def minutes(self) -> list[float]:
        """When the slots begin, after START."""
        return [(slot.begin - START.timestamp()) / 60 for slot in self.slots()]


CALM = {"a": (0.0, 0.5, 2.0)}
