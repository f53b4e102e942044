"""The demo over the API: what it shows of its plans and runs, and what a person may decide in it."""

from collections.abc import Iterator

import httpx
import pytest

from unit.web.test_feed import SIZE, policy
from watari.app.demo import Demo
from watari.errors import BadInput
from watari.web.api.app import create_api
from watari.web.api.callers import Anybody
from watari.web.api.context import Api
from watari.web.api.demo_desk import DemoDesk
from watari.web.api.desk import By
from watari.web.api.rates import Rates
from watari.web.api.rules import Rules
from watari.web.hub import Hub
from watari.web.serving import Server

MAI = By("mai")
STEPS = 4 * 60 * 24  # a day of 15 s


def until(demo: Demo, what: str) -> None:
    """Advance until something is true of the demo, which it becomes within a day."""
    for _ in range(STEPS):
        if eval(what, {}, {"demo": demo}):
            return
        demo.advance()
    raise AssertionError(f"never in a day: {what}")


@pytest.fixture
def asking() -> Demo:
    """A day in which the balancer asks, at the moment in which it first does."""
    demo = Demo(policy(), SIZE, switch_on_s=0.0, approve=True)
    until(demo, "demo.approvals.waits")
    return demo


def desk_of(demo: Demo) -> DemoDesk:
    return DemoDesk(demo, Hub())


def test_time_stands_still_while_a_plan_waits(asking: Demo) -> None:
    desk, then = desk_of(asking), asking.now
    for _ in range(100):
        asking.advance()
    assert asking.now == then
    (plan,) = desk.plans(None, ("waiting",), None, 50).items
    assert (plan.state, plan.mode, plan.run) == ("waiting", "approve", None)
    assert "waits for you" in desk.clouds()[0].doing
    assert desk.runs(None, False, None, 50).items == []


def test_what_a_person_agrees_to_begins_and_ends_well(asking: Demo) -> None:
    desk = desk_of(asking)
    (plan,) = desk.plans(None, ("waiting",), None, 50).items
    assert desk.decide(plan.id, True, "go", MAI).state == "approved"
    assert desk.decide(plan.id, True, "go", MAI).state == "approved", "asked twice it answers the same"
    asking.advance()
    begun = desk.plan(plan.id)
    assert (begun.state, begun.decided_by, begun.why) == ("begun", "mai", "go")
    run = str(begun.run)
    assert len(desk.run(run).operations) == plan.operations
    until(asking, f"next(r for r in demo.balancer.history if r.id == {run!r}).finished or demo.approvals.waits")
    lines = desk.journal(run, 0, 500).items
    assert {line.run for line in lines} == {run}
    assert [line.n for line in lines] == sorted({line.n for line in lines})
    assert [(a.action, a.by, a.why) for a in desk.audit(None, 50).items] == [("approve plan", "mai", "go")] * 2


def test_what_a_person_rejects_is_not_asked_again_at_once(asking: Demo) -> None:
    desk, then = desk_of(asking), asking.now
    (plan,) = desk.plans(None, ("waiting",), None, 50).items
    desk.decide(plan.id, False, "no", MAI)
    for _ in range(8):
        asking.advance()
    assert asking.now > then
    again = desk.plans(None, ("waiting",), None, 50).items
    subjects = {op["subject"] for op in desk.plan(plan.id).plan["operations"]}
    assert all({op["subject"] for op in desk.plan(p.id).plan["operations"]} - subjects for p in again)
    with pytest.raises(BadInput, match="it is rejected by mai"):
        desk.decide(plan.id, True, "", MAI)


def test_while_it_is_stopped_nothing_begins() -> None:
    demo = Demo(policy(), SIZE, days=13 / 24, switch_on_s=0.0)
    desk = desk_of(demo)
    desk.set_stop("", "storage", MAI)
    while not demo.over:
        demo.advance()
    assert demo.operations() == []
    assert desk.clouds()[0].stop == desk.stops()[0]
    assert desk.lift_stop("", "", MAI).why == "storage"
    with pytest.raises(BadInput, match="is not set"):
        desk.lift_stop("", "", MAI)


@pytest.fixture
def client(asking: Demo) -> Iterator[httpx.Client]:
    api = Api(desk_of(asking), Anybody(), Rules(), Rates("10000/second"))
    api.fresh.fresh_s = 0.0
    with (
        Server(create_api(api, loopback=True), closing=api.streams.close) as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client,
    ):
        yield client


def test_over_http_it_needs_no_token_and_a_run_can_be_given_up(asking: Demo, client: httpx.Client) -> None:
    assert client.get("/v1/me").json()["may"] == ["read", "decide", "stop", "admin"]
    (plan,) = client.get("/v1/plans?state=waiting").json()["items"]
    client.post(f"/v1/plans/{plan['id']}/approve", json={}).raise_for_status()
    asking.advance()
    (run,) = client.get("/v1/runs?open=true").json()["items"]
    assert client.post(f"/v1/runs/{run['id']}/cancel", json={"why": "enough"}).json()["state"] == "cancelling"
    until(asking, f"next(r for r in demo.balancer.history if r.id == {run['id']!r}).finished")
    assert client.get(f"/v1/runs/{run['id']}").json()["state"] == "cancelled"
    assert client.post(f"/v1/runs/{run['id']}/cancel", json={}).status_code == 409
    for path in ("/v1/clouds", "/v1/policies", "/v1/audit", "/v1/clouds/demo", "/v1/clouds/demo/findings"):
        assert client.get(path).status_code == 200, path


def test_who_listens_hears_of_a_decision_once(asking: Demo) -> None:
    desk = desk_of(asking)
    assert desk.changes() == [], "what is there already is no change"
    (plan,) = desk.plans(None, ("waiting",), None, 50).items
    desk.decide(plan.id, True, "", MAI)
    asking.advance()
    kinds = [change.kind for change in desk.changes()]
    assert {"cloud", "plan", "run", "operation"} <= set(kinds)
    assert [c.kind for c in desk.changes() if c.kind in ("plan", "run")] == []


def test_what_is_approved_while_it_is_stopped_waits_for_the_switch(asking: Demo) -> None:
    desk = desk_of(asking)
    (plan,) = desk.plans(None, ("waiting",), None, 50).items
    desk.set_stop("", "storage", MAI)
    desk.decide(plan.id, True, "", MAI)
    for _ in range(20):
        asking.advance()
    assert desk.runs(None, False, None, 50).items == []
    desk.lift_stop("", "", MAI)
    asking.advance()
    assert len(desk.runs(None, False, None, 50).items) == 1
