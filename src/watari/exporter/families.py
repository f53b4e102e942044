"""Guests as Prometheus' families of series."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import Metric

from watari.exporter import table
from watari.exporter.reading import Guest, Stats
from watari.exporter.table import Row

Labels = dict[str, str]
Families = Mapping[str, Metric]

_ROWS: Final = (
    table.OPENSTACK, table.STATE, *table.DOMAIN, *table.VCPU, *table.BLOCK, *table.INTERFACE, table.DIRTY_RATE,
    table.JOB_TYPE, *table.JOB, table.PAGES_DIRTIED,
)  # fmt: skip


def single(row: Row, value: float) -> Metric:
    """A family of one series without labels."""
    family = row.family()
    family.add_sample(row.name, {}, value)
    return family


def families(guests: Iterable[Guest]) -> Iterator[Metric]:
    """All series of all guests; families without any are left out. Each series names its domain and its uuid."""
    found = {row.name: row.family() for row in _ROWS}
    for guest in guests:
        labels = {"domain": guest.domain, "uuid": guest.uuid}
        if guest.stats:
            _running(found, guest, labels)
        if guest.job:
            _job(found, guest.job, labels)
    yield from (family for family in found.values() if family.samples)


def _running(found: Families, guest: Guest, labels: Labels) -> None:
    nova, stats = guest.described.nova, guest.stats
    state = stats["state.state"]
    about = {
        "instance_id": guest.uuid, "instance_name": nova.name or guest.domain, "flavor_name": nova.flavor,
        "project_id": nova.project_id, "project_name": nova.project_name,
        "user_id": nova.user_id, "user_name": nova.user_name,
    }  # fmt: skip
    _add(found, table.OPENSTACK, {**labels, **about}, 1)
    _add(found, table.STATE, {**labels, "state_desc": table.STATES.get(state, "")}, state)
    _fill(found, table.DOMAIN, stats, "", labels)
    for n in range(stats.get("vcpu.maximum", 0)):
        if f"vcpu.{n}.state" in stats:  # any of them may be offline
            _fill(found, table.VCPU, stats, f"vcpu.{n}.", {**labels, "vcpu": str(n)})
    for n in range(stats.get("block.count", 0)):
        target = stats.get(f"block.{n}.name")
        if target and target not in guest.described.no_series:
            _fill(found, table.BLOCK, stats, f"block.{n}.", {**labels, "target_device": target})
    for n in range(stats.get("net.count", 0)):
        if target := stats.get(f"net.{n}.name"):
            _fill(found, table.INTERFACE, stats, f"net.{n}.", {**labels, "target_device": target})
    if guest.dirty_mib_s is not None:
        _add(found, table.DIRTY_RATE, labels, guest.dirty_mib_s)


def _job(found: Families, job: Stats, labels: Labels) -> None:
    operation = job.get("operation", 0)
    word = table.OPERATIONS[operation] if operation < len(table.OPERATIONS) else str(operation)
    _add(found, table.JOB_TYPE, {**labels, "operation": word}, job["type"])
    _fill(found, table.JOB, job, "", labels)
    pages, size = job.get(table.PAGES_DIRTIED.key), job.get("memory_page_size")
    if pages is not None and size is not None:
        _add(found, table.PAGES_DIRTIED, labels, pages * size)


def _fill(found: Families, rows: Iterable[Row], stats: Stats, prefix: str, labels: Labels) -> None:
    for row in rows:
        value = stats.get(prefix + row.key)
        if value is not None:
            _add(found, row, labels, value)


def _add(found: Families, row: Row, labels: Labels, value: float) -> None:
    found[row.name].add_sample(row.name, labels, value / row.per)
