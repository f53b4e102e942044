"""`watari history list` and `watari replay --history`."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unit.cli.conftest import Run
from watari.act.durable.leading import Place
from watari.act.durable.lease import Lease
from watari.act.durable.store import Store
from watari.app.history.recorder import Recorder
from watari.cli.measures import MEASURES
from watari.drivers.sim.build import account_cloud
from watari.jobs.placement.world import read_loads
from watari.model.compute import ComputeSnapshot, Load
from watari.policy.values import Policy

BEGIN = datetime(2026, 1, 5, 10, tzinfo=UTC)
MINUTES = 120


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Two hours of a small cloud: all servers of the first host starve."""
    store = Store(str(Path(os.environ["WATARI_STATE_DIR"]) / "runs.db"))
    lease, policy = Lease(store), Policy()
    lease.take()
    place = Place(store, lease, "prod")
    assert place.hold() == ""
    recorder, spec = Recorder(place), account_cloud(6, 60, 2)
    hosts = {host.name: replace(host, cpus=16.0) for host in spec.hosts}
    worst = spec.servers[0].host
    for minute in range(MINUTES + 1):
        at = BEGIN + timedelta(minutes=minute)
        servers = {server.id: server for server in spec.servers}
        loads = {
            id: Load(0.3, 1.4, float(s.vcpus), at) if s.host == worst else Load(0.0, 0.1, 0.1 * s.vcpus, at)
            for id, s in servers.items()
        }
        snapshot = ComputeSnapshot(at, hosts, servers, loads)
        recorder.look(snapshot, read_loads(snapshot, policy.detect.stale_after_s), policy)
    yield recorder
    lease.release()
    store.close()


def test_without_any_history_it_says_who_keeps_it(run: Run) -> None:
    ended = run("history", "list")
    assert ended.code == 0
    assert ended.err == "there is no history; `watari serve` keeps it (serve.history in the policy)\n"


def test_what_is_kept_is_listed(run: Run, recorder: Recorder) -> None:
    ended = run("history", "list", "-f", "json")
    (row,) = json.loads(ended.out)
    assert row.pop("MiB") == pytest.approx(0.01, abs=0.01)
    assert row == {
        "Cloud": "prod", "From": "2026-01-05T10:00:00+00:00", "To": "2026-01-05T12:00:00+00:00", "Slots": 24,
        "Covered": 100.0, "Servers": 60,
    }  # fmt: skip
    assert ended.err == "play one: watari replay --history prod --policy mine.yaml\n"


def test_a_history_is_played_beside_what_was_measured(run: Run, recorder: Recorder) -> None:
    Path("mine.yaml").write_text("roles: {metadata_key: tier}\n", encoding="utf-8")
    ended = run("replay", "--history", "prod", "--against", "mine.yaml", "--against", "cautious", "-f", "json")
    assert ended.code == 0, ended.err
    rows = {row["measure"]: row for row in json.loads(ended.out)}
    assert list(rows) == [m.name for m in MEASURES]
    starved = rows["starved server-minutes"]
    assert list(starved) == ["measure", "as measured", "do nothing", "default", "mine", "cautious", "published"]
    assert starved["as measured"] == 60 * 2 * len(_worst())
    assert starved["default"] < starved["do nothing"]
    assert rows["moves"]["as measured"] == 0
    assert rows["moves"]["default"] > 0
    assert rows["failed moves"]["as measured"] is None
    assert rows["CPU seconds"]["as measured"] is None
    assert ended.err.splitlines()[-1] == (
        "prod, 2026-01-05 10:00 to 2026-01-05 12:00 UTC: 6 hosts, 60 servers, 2 h seen, loads x 1, a look every 60 s"
    )
    assert "finding mine asks for the metadata tier, which no server of this history has" in ended.err
    assert "finding the policies call different servers starved; all are judged by default" in ended.err


def _worst() -> list[str]:
    spec = account_cloud(6, 60, 2)
    return [s.id for s in spec.servers if s.host == spec.servers[0].host]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--history", "other"), "has no history of other; there is one of prod"),
        (("--history", "prod", "--days", "0.02"), "the history of the last 29 min"),
        (("--history", "prod", "--hosts", "6"), "--hosts is for --trace; a history has its cloud's own"),
        (("--history", "prod", "--local-disk"), "--local-disk is for --trace; a history has its cloud's own"),
        (("--trace", "day.csv", "--days", "3"), "--days is for --history; a trace is played as a whole"),
        (("--history", "prod", "--trace", "day.csv"), "not allowed with argument"),
        (("--history", "prod", "--days", "0"), '"0" is no number of days such as 7 or 0.5'),
        ((), "one of the arguments --trace --history is required"),
    ],
)
def test_what_cannot_be_played_is_said(run: Run, recorder: Recorder, words: tuple[str, ...], said: str) -> None:
    ended = run("replay", *words, "--no-published")
    assert ended.code == 2
    assert said in ended.err
