"""What another policy would have done, asked over HTTP."""

import threading
from datetime import UTC, datetime, timedelta

from durable.serving.api.conftest import Office, Open
from durable.serving.metered_cloud import NAME
from watari.app.history.recorder import Recorder
from watari.jobs.placement.world import read_loads
from watari.model.compute import ComputeSnapshot, Host, HostName, Load, Server, ServerId, ZoneName
from watari.policy.values import Policy

HOURS = 3


def kept(office: Office) -> None:
    """The last hours of a cloud: three servers share one host and are starved, another host is empty."""
    recorder, policy = Recorder(office.desk.reconciler.place), Policy()
    hosts = [Host(HostName(name), ZoneName("az1"), 4, 65536, 1000) for name in ("h1", "h2")]
    servers = {ServerId(f"s{n}"): Server(ServerId(f"s{n}"), f"s{n}", hosts[0].name, 2, 4096) for n in range(3)}
    for minute in range(60 * HOURS):
        at = datetime.now(UTC) - timedelta(minutes=60 * HOURS - minute)
        loads = {id: Load(0.33, 1.5, 2.0, at) for id in servers}
        snapshot = ComputeSnapshot(at, {host.name: host for host in hosts}, servers, loads)
        recorder.look(snapshot, read_loads(snapshot, policy.detect.stale_after_s), policy)
    recorder.keep(policy)


def test_the_last_days_are_played_under_another_policy(office: Open) -> None:
    here = office()
    kept(here)
    with here.client() as client:
        client.timeout = 120
        body = {"cloud": NAME, "policy": "name: mine\ndetect: {hold_rounds: 1}\n", "days": 1}
        answer = client.post("/v1/policies/replay", json=body)
    assert answer.status_code == 200, answer.text
    played = answer.json()
    starved = next(row for row in played["rows"] if row["measure"].startswith("starved"))
    assert starved["do nothing"] > 0
    assert starved["mine"] < starved["do nothing"], played
    assert any("3 servers" in note for note in played["notes"])


def test_the_past_is_listed_and_a_server_shows_its_part(office: Open) -> None:
    here = office()
    here.look()
    kept(here)
    with here.client("reading") as client:
        (history,) = client.get("/v1/history").json()["items"]
        assert (history["cloud"], history["servers"]) == (NAME, 3)
        assert 12 * HOURS - 1 <= history["slots"] <= 12 * HOURS + 1
        curve = client.get(f"/v1/clouds/{NAME}/servers/s0").json()["history"]
        assert len(curve) == history["slots"]
        assert all(abs(point["steal"] - 0.33) < 0.01 and abs(point["per_vcpu"] - 1.5) < 0.05 for point in curve)
        assert [point["t"] for point in curve] == sorted(point["t"] for point in curve)
        assert client.get(f"/v1/clouds/{NAME}/servers/s7").json()["history"] == [], "it is not in the history"


def test_what_cannot_be_played_is_told_and_two_at_a_time_are_not(office: Open) -> None:
    here = office()
    with here.client() as client:
        wrong = client.post("/v1/policies/replay", json={"cloud": NAME, "policy": "nope: 1\n"})
        assert (wrong.status_code, "nope" in wrong.json()["detail"]) == (409, True)
        assert client.post("/v1/policies/replay", json={"cloud": "other", "policy": "default"}).status_code == 404
        client.timeout = 60
        empty = client.post("/v1/policies/replay", json={"cloud": NAME, "policy": "default"})
        assert (empty.status_code, "history" in empty.json()["detail"]) == (409, True)
    with here.client("reading") as client:
        assert client.post("/v1/policies/replay", json={"cloud": NAME, "policy": "default"}).status_code == 403
    what_if = here.api.desk._what_if  # type: ignore[attr-defined]
    with what_if._alone, here.client() as client:
        busy = client.post("/v1/policies/replay", json={"cloud": NAME, "policy": "default"})
    assert (busy.status_code, "another what-if" in busy.json()["detail"]) == (409, True)


def test_ending_the_controller_ends_what_is_played(office: Open) -> None:
    here = office()
    kept(here)
    desk, answers = here.api.desk, []

    def ask() -> None:
        with here.client() as client:
            client.timeout = 120
            answers.append(
                client.post("/v1/policies/replay", json={"cloud": NAME, "policy": "default", "days": 1}).status_code
            )

    asking = threading.Thread(target=ask)
    asking.start()
    while desk._what_if._child is None:  # type: ignore[attr-defined]
        asking.join(0.01)
    desk.close()  # type: ignore[attr-defined]
    asking.join(60)
    assert answers == [500]
