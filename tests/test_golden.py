"""Plans of fixed clouds, word for word: what changes here, changes for everyone who reads plans."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stage.cast import Cast
from watari.drivers.sim.build import account_cloud, demand_for
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.faults import Faults, NoMetrics
from watari.jobs.balance import plan
from watari.model.compute import HostName, PastMove, ServerId
from watari.observe.compute import compute_snapshot
from watari.plan.plan import Plan
from watari.plan.render import render
from watari.policy.load import load_policy
from watari.policy.values import Budgets, Policy

GOLDEN = Path(__file__).parent / "golden"
MIDNIGHT = datetime(2024, 5, 1, tzinfo=UTC)
NOON = MIDNIGHT + timedelta(hours=12)


def noon_peak() -> Plan:
    """The cloud of the account, 80 hosts and 1,000 servers, as `watari plan balance --cloud sim` sees it at noon."""
    spec = account_cloud(80, 1000, seed=1)
    cloud = SimCloud(spec, demand_for(spec, seed=1, start_s=12 * 3600.0), NOON)
    cloud.advance(60)
    return plan(compute_snapshot(cloud, cloud, cloud), load_policy())


def small() -> Cast:
    """Two zones; in each a host in need, of the first with a bit of everything that may forbid a move."""
    cast = Cast()
    cast.add_hosts("az1", ["h1..4"], {"aggregate": "nvme"})
    cast.add_hosts("az1", ["h5"], {})
    cast.add_hosts("az2", ["h6", "h7"], {})
    cast.add_servers("h1", "web-1..3", "8", "32G", {"demand": "7", "role": "web", "aggregate": "nvme"})
    cast.add_servers("h1", "db-1", "8", "64G", {"demand": "6", "role": "db", "disk": "200G"})
    cast.add_servers("h1", "nfv-1", "8", "16G", {"demand": "7.5", "pin": "a_PCI_device"})
    cast.add_servers("h2", "web-4", "8", "32G", {"demand": "4", "role": "web"})
    cast.add_servers("h3", "api-1..4", "4", "16G", {"demand": "3.5", "role": "api"})
    cast.add_servers("h4", "cache-1", "4", "16G", {"demand": "1"})
    cast.add_servers("h6", "web-5..8", "8", "32G", {"demand": "7.5", "role": "web"})
    cast.add_servers("h7", "db-2..3", "12", "64G", {"demand": "10", "role": "db"})
    return cast


def small_plan(policy: Policy, faults: Faults | None = None, past: tuple[PastMove, ...] = ()) -> Plan:
    cast = small()
    cloud = SimCloud(cast.spec(), cast.scripted(), NOON, faults=faults)
    cloud.advance(60)
    return plan(replace(compute_snapshot(cloud, cloud, cloud), past=past, cloud="east"), policy)


def a_bit_of_everything() -> Plan:
    rested = PastMove(ServerId("web-1"), HostName("h2"), HostName("h1"), NOON - timedelta(minutes=20))
    return small_plan(Policy(), past=(rested,))


def a_careful_policy() -> Plan:
    return small_plan(Policy(budgets=Budgets(total=1, move_mib_s=200.0)))


def an_exporter_is_down() -> Plan:
    return small_plan(Policy(), Faults([NoMetrics(HostName("h4"))]))


def the_published_rule() -> Plan:
    return small_plan(Policy(rule="published"))


PLANS: dict[str, tuple[Callable[[], Plan], bool]] = {  # what to render, and whether verbosely
    "noon_peak": (noon_peak, False),
    "a_bit_of_everything": (a_bit_of_everything, True),
    "a_careful_policy": (a_careful_policy, False),
    "an_exporter_is_down": (an_exporter_is_down, True),
    "the_published_rule": (the_published_rule, False),
}


@pytest.mark.parametrize("name", PLANS)
def test_golden_plan(name: str, rewrite: bool) -> None:
    make, verbose = PLANS[name]
    made = make()
    said = render(made, verbose=verbose).replace(f" {made.id}", "")  # follows from the last digit of every load
    path = GOLDEN / f"{name}.txt"
    if rewrite:
        path.write_text(said, encoding="utf-8")
    assert said == path.read_text(encoding="utf-8"), "run pytest --rewrite if the change is right"
