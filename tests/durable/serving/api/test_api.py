"""What people and programs can see and do over HTTP, against a real database."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from durable.serving.api.conftest import Office, Open, listened
from durable.serving.metered_cloud import NAME
from watari.act.durable.audit import audit_lines
from watari.act.durable.stops import stop_of
from watari.act.durable.tables import controllers, operations, proposals, runs
from watari.drivers.snapshot_file import read_snapshot
from watari.plan.codec import plan_from_dict


def waiting(office: Office) -> str:
    """The id of the plan that waits after a look."""
    office.look()
    with office.client() as client:
        (plan,) = client.get("/v1/plans?state=waiting").json()["items"]
    return str(plan["id"])


def test_a_cloud_is_shown_as_its_controller_sees_it(office: Open) -> None:
    here = office()
    here.look()
    with here.client("reading") as client:
        (cloud,) = client.get("/v1/clouds").json()["items"]
        assert client.get(f"/v1/clouds/{NAME}").json() == cloud
    assert (cloud["name"], cloud["mode"], cloud["starved"], cloud["servers"]) == (NAME, "approve", 6, 8)
    assert (cloud["trouble"], cloud["stop"]) == ("", None)


def test_what_cannot_be_known_is_null_and_never_zero(office: Open) -> None:
    here = office()
    here.desk.filed.set(meter="away")
    here.look()
    with here.client("reading") as client:
        cloud = client.get(f"/v1/clouds/{NAME}").json()
    assert (cloud["starved"], cloud["hosts"], cloud["servers"]) == (None, None, None)
    assert cloud["trouble"].startswith("no decision")


def test_a_plan_is_shown_whole_and_begins_once_a_person_agrees(office: Open) -> None:
    here = office()
    id = waiting(here)
    with here.client() as client:
        details = client.get(f"/v1/plans/{id}").json()
        plan = plan_from_dict(details["plan"])
        assert (len(plan.operations), plan.id) == (details["operations"], id)
        assert plan.operations[0].name in details["text"]
        agreed = client.post(f"/v1/plans/{id}/approve", json={"why": "change 815"}).json()
        assert (agreed["state"], agreed["decided_by"], agreed["why"]) == ("approved", "mai@Default", "change 815")
        (run,) = here.desk.reconciler.begin_approved()
        assert client.get(f"/v1/plans/{id}").json()["run"] == run
        shown = client.get(f"/v1/runs/{run}").json()
        assert [o["state"] for o in shown["operations"]] == ["pending"] * details["operations"]
        assert shown["operations"][0]["steps"][0]["what"].startswith("live-migrate h1 -> ")
        assert client.get("/v1/runs?open=true").json()["items"][0]["id"] == run


def test_a_rejection_needs_a_reason_and_holds(office: Open) -> None:
    here = office()
    id = waiting(here)
    with here.client() as client:
        for body in ({}, {"why": ""}, {"why": "   "}):
            assert client.post(f"/v1/plans/{id}/reject", json=body).status_code == 422
        assert client.post(f"/v1/plans/{id}/reject", json={"why": "a backup"}).json()["state"] == "rejected"
        late = client.post(f"/v1/plans/{id}/approve", json={})
        assert late.status_code == 409
        assert "it is rejected by mai@Default: a backup" in late.json()["detail"]


def test_the_stop_switch_holds_for_everybody_until_it_is_lifted(office: Open) -> None:
    here = office()
    with here.client() as client:
        here.look()
        assert client.put(f"/v1/stops/{NAME}", json={"why": "ticket 4711"}).json()["by"] == "mai@Default"
        assert client.get(f"/v1/clouds/{NAME}").json()["stop"]["why"] == "ticket 4711"
        stop = stop_of(here.desk.store, NAME)
        assert stop is not None
        assert stop.why == "ticket 4711"
        assert client.delete("/v1/stops").status_code == 409, "the switch of all clouds is another one"
        assert client.delete(f"/v1/stops/{NAME}").json()["why"] == "ticket 4711"
        assert stop_of(here.desk.store, NAME) is None


def begun(office: Office) -> str:
    id = waiting(office)
    with office.client() as client:
        client.post(f"/v1/plans/{id}/approve", json={})
    (run,) = office.desk.reconciler.begin_approved()
    return run


def test_a_run_is_stopped_goes_on_and_is_given_up(office: Open) -> None:
    here = office()
    run = begun(here)
    with here.client() as client:
        assert client.post(f"/v1/runs/{run}/stop", json={"why": "lunch"}).json()["state"] == "stopped"
        assert client.post(f"/v1/runs/{run}/resume", json={}).json()["state"] == "running"
        assert client.post(f"/v1/runs/{run}/undo", json={}).status_code == 409, "it is not over"
        assert client.post(f"/v1/runs/{run}/cancel", json={}).json()["state"] == "cancelling"
        again = client.post(f"/v1/runs/{run}/resume", json={})
        assert (again.status_code, "given up" in again.json()["detail"]) == (409, True)


def test_every_change_is_written_down_with_who_and_why_and_what_came_of_it(office: Open) -> None:
    here = office()
    id = waiting(here)
    with here.client() as client:
        client.post(f"/v1/plans/{id}/reject", json={"why": "a backup"})
        client.post(f"/v1/plans/{id}/approve", json={"why": "changed my mind"})
        client.put("/v1/stops", json={"why": "storage"})
    with here.client("ruling") as client:
        lines = client.get("/v1/audit?limit=2").json()
        assert (lines["items"][0]["action"], lines["items"][0]["outcome"]) == ("stop", "done")
        rest = client.get(f"/v1/audit?after={lines['next']}").json()
    (first,) = rest["items"]
    assert (first["by"], first["via"], first["address"]) == ("mai@Default", "api", "127.0.0.1")
    assert (first["action"], first["subject"], first["why"], first["outcome"]) == (
        "reject plan",
        id,
        "a backup",
        "done",
    )
    assert "it is rejected" in audit_lines(here.desk.store)[1].outcome


def test_a_plan_that_a_person_asks_for_waits_in_any_mode_and_no_look_replaces_it(
    office: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = office("observe")
    here.look()
    monkeypatch.setattr("watari.app.clouds.open_cloud", lambda name: here.desk.cloud)
    with here.client() as client:
        made = client.post("/v1/plans", json={"job": "drain", "cloud": NAME, "hosts": ["h1"], "why": "a DIMM"})
        assert made.status_code == 201, made.text
        id = made.json()["id"]
        assert made.headers["Location"] == f"/v1/plans/{id}"
        assert (made.json()["mode"], made.json()["state"], made.json()["job"]) == ("asked", "waiting", "drain")
        here.look()
        assert client.get(f"/v1/plans/{id}").json()["state"] == "waiting"
        client.post(f"/v1/plans/{id}/approve", json={})
        assert here.desk.reconciler.begin_approved() == [client.get(f"/v1/plans/{id}").json()["run"]]
        unknown = client.post("/v1/plans", json={"job": "drain", "cloud": NAME, "hosts": ["h9"]})
        assert (unknown.status_code, "h9" in unknown.json()["detail"]) == (409, True)


def test_lists_come_in_pages_that_miss_nothing(office: Open) -> None:
    here = office()
    ids = []
    for _ in range(3):
        ids.append(waiting(here))
        with here.client() as client:
            client.post(f"/v1/plans/{ids[-1]}/reject", json={"why": "no"})
        with here.desk.store.writing() as c:  # as if the rejection had run out
            past = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
            c.execute(proposals.update().values(expires_at=past))
    with here.client() as client:
        got, after = [], ""
        while True:
            page = client.get(f"/v1/plans?limit=1{after}").json()
            got += [plan["id"] for plan in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
    assert got == ids[::-1]


def test_the_live_picture_comes_with_the_look(office: Open) -> None:
    here = office()
    with here.client() as client:
        assert client.get(f"/v1/clouds/{NAME}/state").status_code == 503, "nobody has looked yet"
        here.look()
        state = client.get(f"/v1/clouds/{NAME}/state").json()
        assert len(state["servers"]["id"]) == 8
        assert len(state["starved"]) == 6
        assert min(state["host_cpu"]) >= 0
        id = state["servers"]["id"][state["starved"][0]["server"]]
        server = client.get(f"/v1/clouds/{NAME}/servers/{id}").json()
        assert (server["id"], server["starved"], server["verdict"]["kind"]) == (id, True, "planned")
        assert client.get(f"/v1/clouds/{NAME}/servers/nobody").status_code == 404
    text = listened(here, f"/v1/clouds/{NAME}/events", lambda text: text.count("event: state") == 2, here.look)
    assert json.loads(text.split("data: ")[1].splitlines()[0])["cloud"] == NAME


def test_who_listens_is_told_what_changes(office: Open) -> None:
    here = office()
    id = waiting(here)

    def agree() -> None:
        httpx.post(f"{here.url}v1/plans/{id}/approve", json={}, headers={"X-Auth-Token": "deciding"}, trust_env=False)
        here.desk.reconciler.begin_approved()

    text = listened(here, "/v1/events", lambda text: '"state":"begun"' in text and "event: operation" in text, agree)
    told = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert told[0] == "hello"
    assert {"plan", "run", "operation"} <= set(told)


def test_policies_are_judged_and_compared_by_meaning(office: Open) -> None:
    here = office()
    with here.client("reading") as client:
        names = [one["name"] for one in client.get("/v1/policies").json()["items"]]
        assert {"default", f"in force:{NAME}"} <= set(names)
        wrong = client.post("/v1/policies/validate", json={"text": "detect: {steal: much}\nnope: 1\n"}).json()
        assert (wrong["valid"], len(wrong["problems"]) >= 2) == (False, True)
        assert client.post("/v1/policies/validate", json={"text": "name: mine\n"}).json()["valid"] is True
        two = {"old": "default", "new": "name: mine\ndetect: {steal: 7 %}\n"}
        changes = {c["key"]: c["new"] for c in client.post("/v1/policies/diff", json=two).json()["items"]}
    assert changes == {"name": "mine", "detect.steal": 0.07}


def test_only_the_process_that_looks_after_a_cloud_shows_its_picture(office: Open) -> None:
    here = office()
    here.look()
    with here.desk.store.writing() as c:
        c.execute(controllers.update().values(about="other-host pid 1"))
    with here.client() as client:
        answer = client.get(f"/v1/clouds/{NAME}/state")
        assert answer.status_code == 400
        assert f"another process looks after {NAME}" in answer.json()["detail"]
        assert client.get(f"/v1/clouds/{NAME}").json()["controller"] == "other-host pid 1"
        assert client.get("/v1/clouds/nowhere/state").status_code == 404


def test_a_cloud_that_is_none_cannot_be_stopped(office: Open) -> None:
    here = office()
    here.look()
    with here.client() as client:
        answer = client.put("/v1/stops/Filed", json={"why": "ticket"})
        assert (answer.status_code, NAME in answer.json()["detail"]) == (404, True)
        assert client.get("/v1/stops").json()["items"] == []


def test_while_the_cloud_is_silent_the_picture_gets_older_and_promises_nothing(office: Open) -> None:
    here = office()
    here.look()
    with here.client() as client:
        before = client.get(f"/v1/clouds/{NAME}/state").json()
        here.desk.filed.set(meter="away")
        time.sleep(1.1)
        for _ in range(3):
            here.look()
        after = client.get(f"/v1/clouds/{NAME}/state").json()
        assert after["load"]["age_s"] >= before["load"]["age_s"] + 1.0
        assert {one["intent"] for one in after["starved"]} == {"refused"}
        assert all("the meter does not answer" in one["why"] for one in after["starved"])
        assert after["chart"] == before["chart"], "what nobody has looked at is not counted"
        server = client.get(f"/v1/clouds/{NAME}/servers/s0").json()
    assert server["verdict"]["title"] == "Nothing is decided"
    assert server["load"]["age_s"] >= 1.0


def test_who_asked_for_a_plan_and_why_stays_with_it(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here = office("observe")
    here.look()
    monkeypatch.setattr("watari.app.clouds.open_cloud", lambda name: here.desk.cloud)
    with here.client() as client:
        body = {"job": "drain", "cloud": NAME, "hosts": ["h1"], "why": "a DIMM"}
        made = client.post("/v1/plans", json=body).json()
        assert made["why"] == "asked for by mai@Default: a DIMM"
        agreed = client.post(f"/v1/plans/{made['id']}/approve", json={}).json()
    assert agreed["why"] == "asked for by mai@Default: a DIMM"
    line = audit_lines(here.desk.store)[1]
    assert (line.action, line.subject, line.why, line.outcome) == ("plan drain", "h1", "a DIMM", f"done: {made['id']}")


def test_what_a_person_stops_before_it_is_taken_up_stays_stopped(office: Open) -> None:
    here = office()
    run = begun(here)
    with here.client() as client:
        assert client.post(f"/v1/runs/{run}/stop", json={}).json()["state"] == "stopped"
        assert here.desk.begun == [run]
        plan = client.get(f"/v1/runs/{run}").json()["plan"]
        assert client.get(f"/v1/runs/{plan}").json()["id"] == run, "by its plan, too"
        assert client.get(f"/v1/runs/{plan}/journal").json()["items"] == []
        assert client.get("/v1/runs/r-nothing").status_code == 404


def test_an_approved_plan_waits_for_what_goes_on_with_its_servers(
    office: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = office()
    run = begun(here)
    monkeypatch.setattr("watari.app.clouds.open_cloud", lambda name: here.desk.cloud)
    with here.client() as client:
        drain = client.post("/v1/plans", json={"job": "drain", "cloud": NAME, "hosts": ["h1"]}).json()
        client.post(f"/v1/plans/{drain['id']}/approve", json={})
        assert here.desk.reconciler.begin_approved() == []
        assert client.get(f"/v1/plans/{drain['id']}").json()["state"] == "approved"
        with here.desk.store.writing() as c:
            c.execute(operations.update().where(operations.c.run_id == run).values(state="done"))
            c.execute(runs.update().where(runs.c.id == run).values(ended_at=datetime.now(UTC).isoformat()))
        assert here.desk.reconciler.begin_approved() == [drain["id"].replace("p-", "r-")]


def test_an_asked_plan_without_operations_is_there_to_be_read_and_expires(
    office: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = office("observe")
    here.desk.filed.set(wants={f"s{n}": 0.1 for n in range(8)})
    here.look()
    monkeypatch.setattr("watari.app.clouds.open_cloud", lambda name: here.desk.cloud)
    with here.client() as client:
        made = client.post("/v1/plans", json={"job": "balance", "cloud": NAME}).json()
        assert (made["operations"], made["state"]) == (0, "suggested")
        answer = client.post(f"/v1/plans/{made['id']}/approve", json={})
        assert (answer.status_code, "nothing to carry out" in answer.json()["detail"]) == (409, True)
        with here.desk.store.writing() as c:
            c.execute(proposals.update().values(expires_at=datetime(2020, 1, 1, tzinfo=UTC).isoformat()))
        here.look()
    with here.desk.store.reading() as c:
        assert c.execute(proposals.select()).one().state == "expired"


def test_the_last_reading_can_be_planned_on_elsewhere(office: Open, tmp_path: Path) -> None:
    here = office()
    with here.client() as client:
        assert client.get(f"/v1/clouds/{NAME}/snapshot").status_code == 503, "nobody has looked yet"
        here.look()
        answer = client.get(f"/v1/clouds/{NAME}/snapshot")
    file = tmp_path / "cloud.json"
    file.write_bytes(answer.content)
    snapshot, _ = read_snapshot(file)
    assert here.feed.snapshot is not None
    assert snapshot.servers.keys() == here.feed.snapshot.servers.keys()
    assert snapshot.loads.keys() == here.feed.snapshot.loads.keys()
