"""What controllers see and do, for Prometheus: read from the database at every scrape, so that it is true of all."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from watari.act.durable.leading import Seen, last_seen
from watari.act.durable.notices import ages
from watari.act.durable.proposals import OPEN, list_proposals
from watari.act.durable.records import list_runs
from watari.act.durable.stops import all_stops
from watari.act.durable.store import Store
from watari.errors import WatariError

log = logging.getLogger(__name__)
UP: Final = "watari_database_up"
# Name, labels beside `cloud`, help. What is not known has no sample: it is never zero.
GAUGES: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "watari_controller_up": ((), "1 if a living process looks after the cloud."),
    "watari_look_age_seconds": ((), "How long ago it last looked."),
    "watari_look_interval_seconds": ((), "How often it is to look (serve.every)."),
    "watari_look_duration_seconds": ((), "How long the last look took, waiting for the cloud included."),
    "watari_look_cpu_seconds": ((), "CPU time of the last look."),
    "watari_deciding": ((), "1 if the last look could decide; 0: the cloud, its meter or the policy did not let it."),
    "watari_mode": (("job", "mode"), "1 for the mode that each job is in."),
    "watari_hosts": ((), "Hosts at the last look."),
    "watari_servers": ((), "Servers that run, at the last look."),
    "watari_servers_measured": ((), "Those of them whose load is known."),
    "watari_servers_starved": ((), "Servers over both thresholds, steal and load (B1)."),
    "watari_findings": (("severity", "code"), "What a person should look at, at the last look."),
    "watari_stopped": ((), "1 while the stop switch of the cloud, or that of all, is set."),
    "watari_proposals": (("job", "state"), "Plans that stand: suggested, waiting, approved."),
    "watari_runs_open": (("state",), "Runs that are not over."),
    "watari_notice_age_seconds": (("target",), "How long a notification has waited to be delivered to that target."),
    "watari_operations_open": (("state",), "Operations of runs that are not over, by their state."),
}
Sample = tuple[str, tuple[str, ...], float]  # metric, labels with the cloud first, value


class ControllerMetrics(Collector):
    """The collector. A database that does not answer is `watari_database_up 0` and nothing else."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def collect(self) -> Iterator[Metric]:
        try:
            samples = list(self._samples())
        except WatariError as e:
            log.warning("metrics: %s", e)
            samples = []
            yield GaugeMetricFamily(UP, "1 if the database answers.", 0.0)
        else:
            yield GaugeMetricFamily(UP, "1 if the database answers.", 1.0)
        families = {
            name: GaugeMetricFamily(name, text, labels=("cloud", *labels)) for name, (labels, text) in GAUGES.items()
        }
        for name, labels, value in samples:
            families[name].add_metric(labels, value)
        yield from (family for family in families.values() if family.samples)

    def describe(self) -> Iterable[Metric]:
        return ()

    def _samples(self) -> Iterator[Sample]:
        seen = last_seen(self.store)
        stops = {stop.cloud for stop in all_stops(self.store)}
        for one in seen:
            yield from _of_look(one)
            yield "watari_stopped", (one.cloud,), float(bool(stops & {one.cloud, ""}))
        now = datetime.now(UTC)
        open_proposals = (p for p in list_proposals(self.store, states=OPEN) if p.expires_at > now)
        proposals = Counter((p.cloud, p.job, p.state) for p in open_proposals)
        yield from (("watari_proposals", labels, float(n)) for labels, n in proposals.items())
        for cloud, target, age_s in ages(self.store):
            yield "watari_notice_age_seconds", (cloud, target), age_s
        open_ = list_runs(self.store, only_open=True)
        yield from _counted("watari_runs_open", ((row.cloud, row.state, 1) for row in open_))
        operations = ((row.cloud, state, n) for row in open_ for state, n in row.counts.items())
        yield from _counted("watari_operations_open", operations)


def registry(store: Store) -> CollectorRegistry:
    """The controller's metrics, and those of this process."""
    made = CollectorRegistry(auto_describe=False)
    made.register(ControllerMetrics(store))
    ProcessCollector(registry=made)
    return made


def _of_look(one: Seen) -> Iterator[Sample]:
    """What the last look saw; nothing of it once nobody looks any more."""
    cloud, body = (one.cloud,), one.body
    yield "watari_controller_up", cloud, float(one.alive)
    if one.age_s is not None:
        yield "watari_look_age_seconds", cloud, one.age_s
    if not one.alive or one.age_s is None:
        return
    values: dict[str, Any] = {
        "watari_look_interval_seconds": body["every_s"],
        "watari_look_duration_seconds": body["took_s"],
        "watari_look_cpu_seconds": body["cpu_s"],
        "watari_deciding": not body["trouble"],
        "watari_hosts": body["hosts"],
        "watari_servers": body["servers"],
        "watari_servers_measured": body["measured"],
        "watari_servers_starved": body["starved"],
    }
    was_read = body["hosts"] > 0  # else zeros would be lies
    for name, value in values.items():
        if value is not None and (was_read or not name.startswith(("watari_hosts", "watari_servers"))):
            yield name, cloud, float(value)
    yield "watari_mode", (*cloud, "balance", body["mode"]), 1.0
    findings = Counter((f["severity"], f["code"]) for f in body["findings"])
    yield from (("watari_findings", (*cloud, *labels), float(n)) for labels, n in findings.items())


def _counted(name: str, rows: Iterable[tuple[str, str, int]]) -> Iterator[Sample]:
    total: Counter[tuple[str, str]] = Counter()
    for cloud, state, n in rows:
        total[cloud, state] += n
    yield from ((name, labels, float(n)) for labels, n in total.items())
