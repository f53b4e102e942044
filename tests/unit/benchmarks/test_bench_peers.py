"""What goes to hbal and what is read from it; what goes to Watari; the limits that are judged."""

from pathlib import Path

import pytest

from benchmarks.cluster import BenchHost, BenchServer, Cluster
from benchmarks.peers.hbal_text import read_placement, write_cluster
from benchmarks.peers.openstack_watcher import last_line
from benchmarks.results import HBAL, WATARI, WATCHER, Outcome, Results, Round, ratio, verdicts
from benchmarks.score import Score, score
from benchmarks.watari_run import snapshot_of
from watari.model.compute import ServerId

CLUSTER = Cluster(
    (BenchHost("h00000", "az1"), BenchHost("h00001", "az2")),
    (BenchServer("v000000", 0, 16, 100.0, "web"), BenchServer("v000001", 0, 16, 100.0, "web")),
)

PRINTED = """Initial score: 12.3
Trying to minimize the CV...
    1. v000001 h00000        => h00001         11.84895306 a=fa:h00001
    2. v000000 h00000        => h00001         11.37067190 a=fa:h00001
    3. v000000 h00001        => h000"""


def test_moves_are_read_from_hbal_up_to_where_it_was_stopped() -> None:
    assert read_placement(CLUSTER, PRINTED) == (1, 1)
    assert read_placement(CLUSTER, "nothing to do") == (0, 0)


@pytest.mark.parametrize("keep_zones", [True, False])
def test_hbal_gets_five_sections_and_the_zones_if_it_is_to_keep_them(tmp_path: Path, keep_zones: bool) -> None:
    write_cluster(CLUSTER, tmp_path / "data", tmp_path / "util", keep_zones)
    lines = (tmp_path / "data").read_text().splitlines()
    ends = [i for i, line in enumerate(lines) if not line]
    groups, nodes, instances, tags, policies = (
        lines[start:end] for start, end in zip([0, *(i + 1 for i in ends)], [*ends, len(lines)], strict=True)
    )
    assert len(groups) == 1 and groups[0].startswith("default|")
    assert [line.split("|")[10] for line in nodes] == (["zone:az1", "zone:az2"] if keep_zones else ["", ""])
    assert [line.split("|")[6] for line in instances] == ["h00000", "h00000"]
    assert tags == (["htools:migration:zone"] if keep_zones else [])
    assert [line.split("|")[0] for line in policies] == ["", "default"]
    assert (tmp_path / "util").read_text().splitlines()[0] == "v000000 16.0000 0 0 0"


def test_the_snapshot_carries_steal_and_load_by_the_fluid_rule() -> None:
    load = snapshot_of(CLUSTER).loads[ServerId("v000000")]
    assert load.cpu_demand == 16.0
    assert load.steal == pytest.approx(0.25)  # 32 cores asked of 24
    assert load.load_per_vcpu == pytest.approx(1 / 0.75)


def test_limits_are_judged_for_what_was_run() -> None:
    done = Score(0, 0, 0.9, 11, 100.0, 0, 0, 0)
    round = Round(100, 1000, 1, 10, score(CLUSTER), [Outcome(WATCHER, 0.5, Score(1, 5, 1.2, 90, 400.0, 0, 3, 3))])
    assert list(verdicts(Results("", False, "", [round]))) == []
    round.outcomes.append(Outcome(WATARI, 0.03, done))
    missed = {verdict.limit for verdict in verdicts(Results("", False, "", [round])) if not verdict.met}
    assert missed == {"CPU <= 0.02 s", "GiB >= 5 x less than Watcher"}
    assert round.of(HBAL) is None


def test_memory_and_speed_are_judged_at_scale() -> None:
    outcome = Outcome(WATARI, 1.9, Score(0, 0, 0.9, 11, 100.0, 0, 0, 0), peak_mb=1501.0)
    found = list(verdicts(Results("", False, "", scale=[Round(10_000, 100_000, 1, 10, score(CLUSTER), [outcome])])))
    assert [verdict.met for verdict in found] == [True, False]


def test_a_ratio_to_nothing_is_infinite_and_of_nothing_to_nothing_one() -> None:
    assert (ratio(3, 0), ratio(0, 0), ratio(6, 3)) == (float("inf"), 1.0, 2.0)


def test_the_last_line_of_an_error_is_the_one_that_speaks() -> None:
    assert last_line("Traceback\nValueError: no\n\n") == "ValueError: no"
    assert last_line("") == "no message"
