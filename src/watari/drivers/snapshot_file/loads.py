"""The loads of a snapshot file: checked, and completed by the fluid rule where only demand is given."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from watari.drivers.snapshot_file.problems import Problems, counted, some
from watari.drivers.snapshot_file.schema import FileLoad, FileServer
from watari.model.compute import Host, HostName, Load, ServerId
from watari.model.reasons import Finding

DERIVED = "derived from cpu_demand"
CLOCK_SKEW = timedelta(seconds=60)  # clocks of meters and API differ; a load this far ahead is still believed
_LEAST_CPUS = 0.01  # fewer hardware threads than this are none: no guest can run on them


def has_capacity(host: Host) -> bool:
    """Whether anything can run there at all."""
    return host.cpus >= _LEAST_CPUS and host.memory_mib > 0


def loads_of(
    rows: Sequence[FileServer], hosts: Mapping[HostName, Host], taken_at: datetime, problems: Problems
) -> tuple[dict[ServerId, Load], list[Finding]]:
    """The load of every server that sends one.

    Loads of servers on a host without capacity, and loads more than a minute later than `taken_at`, are left out:
    unknown. Demand alone is completed by the fluid rule: all servers of a host get the same share of what they ask for,
    sigma = max(0, 1 - cpus / total demand) is what they lack, steal = sigma * demand / vcpus, and a guest's queue
    grows as it is slowed down, load = demand / vcpus / (1 - sigma).
    """
    measured: list[tuple[FileServer, FileLoad, float]] = []
    future: list[tuple[FileServer, timedelta]] = []
    total: dict[str, float] = {}
    silent: dict[str, int] = {}
    for i, row in enumerate(rows):
        host = hosts.get(HostName(row.host))
        if host is None or not has_capacity(host):
            continue
        load = row.load
        if load is None or load.cpu_demand is None:
            silent[row.host] = silent.get(row.host, 0) + 1
            if load is not None:
                problems.row("servers", i, row.name or row.id, "load", _incomplete(load))
            continue
        if (load.steal is None) != (load.load_per_vcpu is None):
            problems.row("servers", i, row.name or row.id, "load", _incomplete(load))
        elif load.at is not None and load.at > taken_at:
            future.append((row, load.at - taken_at))
            if load.at - taken_at > CLOCK_SKEW:
                silent[row.host] = silent.get(row.host, 0) + 1
                continue
        total[row.host] = total.get(row.host, 0.0) + load.cpu_demand
        measured.append((row, load, load.cpu_demand))
    loads: dict[ServerId, Load] = {}
    derived: list[FileServer] = []
    for row, load, demand in measured:
        at = load.at or taken_at
        if load.steal is None or load.load_per_vcpu is None:
            derived.append(row)
            loads[ServerId(row.id)] = _fluid(
                row, demand, total[row.host], hosts[HostName(row.host)].cpus, at, load.source
            )
        else:
            loads[ServerId(row.id)] = Load(load.steal, load.load_per_vcpu, demand, at, load.source)
    return loads, _findings(derived, silent, future, taken_at)


def _fluid(row: FileServer, demand: float, total: float, cpus: float, at: datetime, source: str) -> Load:
    stretch = max(1.0, total / cpus)  # 1 / (1 - sigma)
    wanted = demand / row.vcpus
    steal = min(1.0, (1.0 - 1.0 / stretch) * wanted)
    return Load(steal=steal, load_per_vcpu=wanted * stretch, cpu_demand=demand, at=at, source=source or DERIVED)


def _incomplete(load: FileLoad) -> str:
    given = {"steal": load.steal, "load_per_vcpu": load.load_per_vcpu, "cpu_demand": load.cpu_demand}
    lacks = ", ".join(key for key, value in given.items() if value is None)
    return f"lacks {lacks}; give steal, load_per_vcpu and cpu_demand together, cpu_demand alone, or no load at all"


def _findings(
    derived: Sequence[FileServer],
    silent: Mapping[str, int],
    future: Sequence[tuple[FileServer, timedelta]],
    taken_at: datetime,
) -> list[Finding]:
    findings = []
    if derived:
        loads = counted(len(derived), "load")
        text = f"{loads} with cpu_demand alone: steal and load_per_vcpu are derived from the host's cpus"
        findings.append(Finding("loads", "derived-loads", text, "info", "Give all three to plan on what was measured"))
        if partly := sorted({row.host for row in derived} & silent.keys()):
            text = (
                f"servers without data run beside derived loads on {some(partly)}: the real steal there may be higher"
            )
            findings.append(
                Finding("loads", "derived-loads-partial", text, "warning", "Give every server a cpu_demand")
            )
    near = [(row, ahead) for row, ahead in future if ahead <= CLOCK_SKEW]
    far = [(row, ahead) for row, ahead in future if ahead > CLOCK_SKEW]
    for rows, verdict in ((near, "kept"), (far, "left out: their servers count as unknown")):
        if rows:
            names = [row.name or row.id for row, _ in rows]
            text = (
                f"{counted(len(rows), 'load')} later than taken_at ({taken_at.isoformat()}), by up to "
                f"{max(ahead for _, ahead in rows).total_seconds():.0f} s; {verdict}: {some(names)}"
            )
            help = "Check the clocks of the meter and of the machine that exported the file"
            findings.append(Finding("loads", "load-from-future", text, "warning", help))
    return findings
