"""Open a cloud by its name: the drivers behind one set of ports."""

import json
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from watari.app.state import alone, read_json, state_dir, write_atomically
from watari.drivers.sim.build import account_cloud, demand_for
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.snapshot_file import read_snapshot
from watari.errors import BadInput, WatariError
from watari.lab.paths import default_dir
from watari.model.compute import ComputeSnapshot, Load, ServerId
from watari.model.reasons import Finding
from watari.observe.compute import compute_snapshot
from watari.ports import Clock, Compute, Inventory, Meter, Orchestrator

if TYPE_CHECKING:
    from watari.drivers.openstack import OpenStackCloud

SIM = "sim[:HOSTS[/SERVERS]][@SEED]"
SIM_NAME = re.compile(r"sim(?::(?P<hosts>\d+)(?:/(?P<servers>\d+))?)?(?:@(?P<seed>\d+))?")
SIM_START = datetime(2026, 1, 5, 11, 55, tzinfo=UTC)  # a Monday, just before the noon peak
SIM_WARM_UP_S = 900.0  # so that the meter's window is full, and it is 12:10
SIM_SETTLE_S = 60.0  # the simulated meter's window
SCRAPES_S = 60.0  # a few scrape intervals: how old the newest sample of a real meter commonly is
LARGEST_SIM = 2000  # hosts; beyond it use a snapshot file


@dataclass(slots=True)
class Cloud:
    """The ports of one cloud. `save` keeps a simulated cloud for the next command; a real one keeps itself.

    `settle_s`: so long after a move its meter's window lies after it; 0 without a meter. `recall` adds what is known of
    earlier moves.
    """

    name: str
    compute: Compute
    meter: Meter
    clock: Clock
    save: Callable[[], None]
    sim: SimCloud | None = None
    missing: Callable[[], tuple[Finding, ...]] = tuple  # what the meter did not find when it was last read
    about_networks: Callable[[], tuple[Finding, ...]] = tuple  # whether moves have one of their own, as last read
    settle_s: float = SIM_SETTLE_S
    recall: Callable[[ComputeSnapshot], ComputeSnapshot] = lambda snapshot: snapshot
    orchestrators: Mapping[str, Orchestrator] = field(default_factory=dict)  # in the order in which servers leave them
    _read: tuple[float, Inventory] | None = None  # when, by a clock that nobody sets

    def snapshot(self) -> ComputeSnapshot:
        """One reading of the cloud."""
        inventory = self.inventory()
        members = self.orchestrators.values()
        return self.recall(compute_snapshot(inventory, self.meter, self.clock, members))

    def left_out(self) -> tuple[Finding, ...]:
        """A finding for each server that an orchestrator does not use because of us: a run's, or left so."""
        return tuple(
            Finding(
                member,
                "left-out",
                f"is out of service in {name}: {reason.removeprefix('watari: ')}",
                "error",
                f"If no run is at work on it (watari runs list), put it back: watari members attach {member} "
                f"--cloud {self.name}",
            )
            for name, orchestrator in self.orchestrators.items()
            for member, reason in sorted(orchestrator.left_out().items())
        )

    def inventory(self, most_s: float = 0.0) -> Inventory:
        """What exists and where, as it was at most so many seconds ago: thousands of servers are not read twice."""
        if self._read is None or time.monotonic() - self._read[0] > most_s:
            begun = time.monotonic()
            self._read = begun, self.compute.inventory()
        return self._read[1]


class NoMeter:
    """A cloud whose section in clouds.yaml names no meter: nothing is known of any server's load."""

    def loads(self, servers: Collection[ServerId]) -> Mapping[ServerId, Load]:
        return {}


@dataclass(slots=True)
class Forgiving:
    """A meter for those who can do without: when it does not answer nothing is known, and a finding says why."""

    meter: Meter
    findings: tuple[Finding, ...] = ()

    def loads(self, servers: Collection[ServerId]) -> Mapping[ServerId, Load]:
        try:
            return self.meter.loads(servers)
        except WatariError as e:
            cure = "Every server counts as asking for all of its vCPUs."
            self.findings = (Finding("meter", "no-meter", f"nobody's load is known: {e}", help=cure),)
            return {}


@dataclass(frozen=True, slots=True)
class SimSize:
    """What `sim[:HOSTS[/SERVERS]][@SEED]` asks for; 12.5 servers per host unless said, as in the account of 2022."""

    hosts: int = 80
    servers: int = 1000
    seed: int = 1

    @property
    def name(self) -> str:
        return f"sim:{self.hosts}/{self.servers}@{self.seed}"


def sim_size(name: str) -> SimSize:
    """Read a simulated cloud's name. Raises BadInput with what would be right."""
    match = SIM_NAME.fullmatch(name)
    if match is None:
        raise BadInput(
            f'unknown cloud "{name}": use sim, sim:HOSTS, sim:HOSTS/SERVERS or sim:HOSTS@SEED, e.g. sim:80/1000@1'
        )
    hosts = int(match["hosts"] or 80)
    servers = int(match["servers"]) if match["servers"] else round(hosts * 12.5)
    if not 3 <= hosts <= LARGEST_SIM:
        raise BadInput(f"{name}: a simulated cloud has 3 to {LARGEST_SIM} hosts; plan larger ones from a snapshot file")
    if servers < 1:
        raise BadInput(f"{name}: a simulated cloud has at least one server, such as sim:{hosts}/{round(hosts * 12.5)}")
    return SimSize(hosts, servers, int(match["seed"] or 1))


def sim_name(name: str) -> str | None:
    """The full name of a simulated cloud, `sim:80/1000@1` for `sim`; None if the name is no simulated cloud's."""
    try:
        return sim_size(name).name
    except BadInput:
        return None


def is_sim(name: str) -> bool:
    """Whether the name means a simulated cloud, however badly it is written."""
    return name == "sim" or name.startswith(("sim:", "sim@"))


def open_cloud(name: str, *, fresh: bool = False) -> Cloud:
    """Open a cloud: a simulated one goes on where the last command left it, unless `fresh`; else one of libvirt.yaml or
    of clouds.yaml.

    Nothing is asked of a real cloud yet. Raises BadInput for a name that is none of them.
    """
    if is_sim(name):
        return _open_sim(name, fresh=fresh)
    from watari.drivers.libvirt.settings import cloud_names

    try:
        others = cloud_names()
    except BadInput as e:  # what is wrong in one file does not close the clouds of another
        try:
            return _open_openstack(name, ())
        except BadInput:
            raise e from None
    if name in others:
        from watari.app.libvirt_clouds import open_libvirt

        return open_libvirt(name)
    return _open_openstack(name, others)


def _open_openstack(name: str, others: Sequence[str]) -> Cloud:
    from watari.drivers.openstack import cloud_names, connect  # half a second that a simulated cloud need not wait for

    files = None
    if name not in cloud_names() and (lab := default_dir() / "clouds.yaml").exists() and name in cloud_names([lab]):
        files = [lab]  # the lab needs no other configuration
    try:
        compute = connect(name, files)
    except BadInput as e:
        also = f"; libvirt.yaml has {', '.join(others)}" if others else ""
        raise BadInput(
            f"{e}{also}; {SIM} is the embedded, simulated cloud, and `watari lab up` makes a real one"
        ) from None
    orchestrators = _orchestrators(name, compute)
    if compute.settings.meters is not None:
        from watari.app.metering import with_meters

        cloud = Cloud(
            name, compute, NoMeter(), compute.clock, lambda: None, about_networks=compute.about_networks,
            orchestrators=orchestrators,
        )  # fmt: skip
        where = f"clouds.yaml: {name}.watari"
        return with_meters(cloud, compute.settings.meters, compute.settings.meters_rule, where)
    section = compute.settings.prometheus
    if not section:
        return Cloud(
            name, compute, NoMeter(), compute.clock, lambda: None, missing=no_meter, settle_s=0.0,
            about_networks=compute.about_networks, orchestrators=orchestrators,
        )  # fmt: skip
    from watari.drivers.prometheus import PrometheusMeter, read_settings

    settings = read_settings(section, f"clouds.yaml: {name}.watari.prometheus")
    meter = PrometheusMeter(settings, compute.clock)

    def missing() -> tuple[Finding, ...]:
        return meter.last_report.findings() if meter.last_report else ()

    settle_s = settings.window + SCRAPES_S
    return Cloud(
        name, compute, meter, compute.clock, lambda: None, missing=missing, settle_s=settle_s, recall=recalling(name),
        about_networks=compute.about_networks, orchestrators=orchestrators,
    )  # fmt: skip


def _orchestrators(name: str, compute: "OpenStackCloud") -> Mapping[str, Orchestrator]:
    if not compute.settings.orchestrators:
        return {}
    from watari.drivers.orchestrators import Surroundings, open_orchestrators

    where = f"clouds.yaml: {name}.watari"
    around = Surroundings(compute.clock, where, compute.session, compute.region)
    return open_orchestrators(compute.settings.orchestrators, around)


def recalling(name: str) -> Callable[[ComputeSnapshot], ComputeSnapshot]:
    """What adds to snapshots of a cloud what its moves have brought, as it was measured then."""

    def recall(snapshot: ComputeSnapshot) -> ComputeSnapshot:
        from watari.app.benefit import recalled  # the database is opened only for a cloud with a past

        return recalled(snapshot, name)

    return recall


def no_meter() -> tuple[Finding, ...]:
    """The finding of a cloud without a meter."""
    cure = "Name one under `watari: {prometheus: {url: ...}}` or `meters` in the cloud's section of clouds.yaml."
    return (Finding("meter", "no-meter", "no meter is known for this cloud: nobody's load is known", help=cure),)


def _open_sim(name: str, *, fresh: bool) -> Cloud:
    size = sim_size(name)
    spec = replace(account_cloud(size.hosts, size.servers, size.seed), name=size.name)
    start_s = (SIM_START - SIM_START.replace(hour=0, minute=0)).total_seconds()
    demand = demand_for(spec, size.seed, start_s)
    path = _sim_path(size)
    try:
        state = None if fresh else read_json(path)
        sim = SimCloud(spec, demand, SIM_START) if state is None else SimCloud.from_state(state, spec, demand)
    except BadInput as e:
        raise BadInput(f"{path}: {e}; begin anew with --cloud {size.name} --fresh") from e
    if state is None:
        sim.advance(SIM_WARM_UP_S)

    def save() -> None:
        write_atomically(path, json.dumps(sim.to_state()).encode())

    return Cloud(size.name, sim, sim, sim, save, sim)


def forget_sim(name: str) -> bool:
    """Delete what is kept of a simulated cloud; True if there was something. Raises Busy while it is worked on."""
    path = _sim_path(sim_size(name))
    with working_on(name):
        existed = path.exists()
        path.unlink(missing_ok=True)
    return existed


def working_on(name: str) -> AbstractContextManager[None]:
    """Keep every other process from changing this simulated cloud. Entering raises Busy when one does already."""
    size = sim_size(name)
    return alone(_sim_path(size).with_suffix(".lock"), size.name)


def snapshot_of(
    cloud: str | None, file: str | None, *, need_loads: bool = True
) -> tuple[ComputeSnapshot, tuple[Finding, ...]]:
    """The snapshot to plan on: of a cloud, or from a file ("-": standard input).

    Unless `need_loads`, a meter that does not answer leaves every load unknown, and a finding says so.
    """
    if cloud and file:
        raise BadInput("--cloud and --snapshot exclude each other: name one")
    if file:
        return read_snapshot(file if file == "-" else Path(file))
    if not cloud:
        raise BadInput("name a cloud (--cloud sim) or a file (--snapshot cluster.json)")
    opened = open_cloud(cloud)
    if not need_loads:
        opened.meter = Forgiving(opened.meter)
    snapshot = opened.snapshot()
    findings = opened.meter.findings if isinstance(opened.meter, Forgiving) else ()
    # Nothing is saved: an `apply` may be at work.
    return snapshot, (*opened.left_out(), *findings, *opened.missing(), *opened.about_networks())


def _sim_path(size: SimSize) -> Path:
    return state_dir() / f"sim-{size.hosts}-{size.servers}-{size.seed}.json"
