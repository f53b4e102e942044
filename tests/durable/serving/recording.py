"""A process that looks at a cloud as fast as it can, a minute of the cloud's time later at each look."""

from datetime import UTC, datetime, timedelta

from watari.act.durable.leading import Place
from watari.act.durable.lease import Lease
from watari.act.durable.store import Store
from watari.app.history.recorder import Recorder
from watari.jobs.placement.world import read_loads
from watari.model.compute import ComputeSnapshot, Host, HostName, Load, Server, ServerId, ZoneName
from watari.policy.values import Policy

START = datetime(2026, 1, 5, tzinfo=UTC)  # begins a window


def record(url: str, cloud: str, minute: int) -> None:
    """From that minute after START on, until it is killed. At every look there is a server more."""
    store, policy = Store(url), Policy()
    lease = Lease(store)
    lease.take()
    place = Place(store, lease, cloud)
    assert place.hold() == ""
    recorder = Recorder(place)
    host = Host(HostName("h1"), ZoneName("az1"), 8, 65536, 1000)
    while True:
        at = START + timedelta(minutes=minute)
        ids = [ServerId(f"s{k}") for k in range(minute % 50 + 1)]
        servers = {id: Server(id, id, host.name, 4, 4096) for id in ids}
        loads = {id: Load(0.1, 1.0, 2.0, at) for id in ids}
        snapshot = ComputeSnapshot(at, {host.name: host}, servers, loads)
        recorder.look(snapshot, read_loads(snapshot, policy.detect.stale_after_s), policy)
        minute += 1
