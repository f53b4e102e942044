"""`watari plans`, `status`, `stop`, `go` and the words of `serve`: what people see of a controller, and answer."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unit.cli.conftest import Run
from watari.act.durable.leading import Place
from watari.act.durable.lease import Lease
from watari.act.durable.proposals import ProposalState, propose, settle
from watari.act.durable.store import Store
from watari.app.clouds import open_cloud
from watari.app.plans import load_plan
from watari.cli.options import whoami
from watari.plan.plan import Plan


@pytest.fixture
def store() -> Store:
    return Store(str(Path(os.environ["WATARI_STATE_DIR"]) / "runs.db"))


@pytest.fixture
def plan(run: Run) -> Plan:
    """A plan that was made just now."""
    assert run("plan", "balance", "--cloud", "sim:10@2", "-o", "made.json", "-q").code == 0
    now = datetime.now(UTC)
    return replace(load_plan("made.json"), made_at=now, expires_at=now + timedelta(hours=1))


def proposed(store: Store, plan: Plan, state: ProposalState = "waiting", mode: str = "approve") -> str:
    with store.writing() as c:
        propose(c, plan, "prod", mode, ("", "prod.yaml"), state)
    return plan.id


def test_without_any_plan_it_says_so(run: Run) -> None:
    ended = run("plans", "list")
    assert (ended.code, ended.err) == (0, "no plan stands; --all shows those of before\n")


def test_a_plan_that_waits_is_listed_with_what_to_do(run: Run, store: Store, plan: Plan) -> None:
    id = proposed(store, plan)
    ended = run("plans", "list", "-f", "json")
    (row,) = json.loads(ended.out)
    assert (row["Plan"], row["State"], row["Operations"], row["Starved"]) == (id, "waiting", len(plan.operations), 2)
    assert ended.err == f"look at one: watari plans show {id}; agree: watari plans approve {id}\n"
    assert json.loads(run("plans", "list", "--cloud", "other", "-f", "json").out) == []


def test_a_plan_is_shown_as_plan_shows_it_and_can_be_saved(run: Run, store: Store, plan: Plan) -> None:
    id = proposed(store, plan)
    ended = run("plans", "show", id, "-o", "saved.json")
    assert ended.out.startswith(f"plan balance {id} on sim:10/125@2: {len(plan.operations)} moves")
    assert ended.err == "written to saved.json\n"
    assert load_plan("saved.json") == plan
    table = json.loads(run("plans", "show", id, "-f", "json").out)
    assert [row["Subject"] for row in table] == [op.name for op in plan.operations]


def test_agreeing_is_written_down_once_with_who_and_why(run: Run, store: Store, plan: Plan) -> None:
    id = proposed(store, plan)
    ended = run("plans", "approve", id, "--why", " change  815 ")
    said = f"{id} ({len(plan.operations)} operations) is approved; watch it with `watari runs list --open`"
    assert (ended.code, ended.err.splitlines()[0]) == (0, said)
    assert "nobody looks after prod: it begins once `watari serve --cloud prod` runs" in ended.err
    assert run("plans", "approve", id).code == 0
    (row,) = json.loads(run("plans", "list", "--all", "-f", "json").out)
    assert (row["State"], row["By"], row["Note"]) == ("approved", whoami(), "change 815")


def test_agreeing_to_what_is_stopped_says_that_it_waits(run: Run, store: Store, plan: Plan) -> None:
    run("stop", "--why", "storage")
    assert "it waits, prod is stopped: storage (by " in run("plans", "approve", proposed(store, plan)).err


def test_saying_no_needs_a_reason_and_says_until_when(run: Run, store: Store, plan: Plan) -> None:
    id = proposed(store, plan)
    assert run("plans", "reject", id).code == 2
    assert run("plans", "reject", id, "--why", " ").err == "watari: --why is empty: say what is wrong with the plan\n"
    until = f"{plan.expires_at.astimezone():%H:%M}"
    ended = run("plans", "reject", id, "--why", "a backup")
    assert ended.err == f"{id} is rejected: the same servers are not proposed again until {until}\n"
    ended = run("plans", "approve", id)
    why = f"it is rejected by {whoami()}: a backup"
    assert (ended.code, ended.err) == (2, f"watari: {id} is not waiting for approval: {why}\n")


@pytest.mark.parametrize("command", [("show",), ("approve",), ("reject", "--why", "x")])
def test_an_unknown_plan_is_bad_input(run: Run, command: tuple[str, ...]) -> None:
    ended = run("plans", *command, "p-none")
    assert (ended.code, ended.err) == (2, 'watari: no plan "p-none" of a controller; see `watari plans list`\n')


def test_what_was_replaced_says_by_what(run: Run, store: Store, plan: Plan) -> None:
    id = proposed(store, plan)
    with store.writing() as c:
        assert settle(c, id, "replaced", "by p-2", datetime.now(UTC), was=("waiting",))
    assert run("plans", "approve", id).err == f"watari: {id} is not waiting for approval: it is replaced: by p-2\n"


def test_the_stop_switch(run: Run) -> None:
    assert run("stop").code == 2
    assert run("stop", "--why", "").err == "watari: --why is empty: say what others have to know\n"
    ended = run("stop", "--why", "the storage flaps")
    assert ended.code == 0
    assert ended.err.startswith("all clouds stopped: the storage flaps (by ")
    assert ended.err.endswith("lift it: watari go\n")
    run("stop", "--cloud", "prod", "--why", "upgrade")
    ended = run("go", "--cloud", "prod")
    assert ended.err.splitlines()[0].startswith("prod goes on; it was stopped for: upgrade")
    assert ended.err.splitlines()[1].startswith("but all clouds are stopped: the storage flaps")
    assert run("go").code == 0
    ended = run("go")
    assert (ended.code, ended.err) == (2, "watari: the stop switch of all clouds is not set\n")


def test_status_without_a_controller_says_how_to_have_one(run: Run) -> None:
    ended = run("status")
    assert ended.code == 0
    assert "no controller has worked with" in ended.err
    assert "watari serve --cloud NAME" in ended.err


def test_status_is_trouble_when_nobody_looks_and_can_forget_the_cloud(run: Run, store: Store) -> None:
    lease = Lease(store)
    lease.take()
    place = Place(store, lease, "prod")
    assert place.hold() == ""
    finding = {"severity": "error", "subject": "p.yaml", "code": "policy-broken", "text": "broken", "help": "mend it"}
    body = {"mode": "approve", "starved": 3, "doing": "p-1 is waiting", "findings": [finding], "every_s": 60}
    place.keep(body)
    ended = run("status", "-f", "json")
    (row,) = json.loads(ended.out)
    assert (ended.code, row["Mode"], row["Starved"], row["Trouble"]) == (0, "approve", 3, "")
    assert f"pid {os.getpid()}" in row["Controller"]
    ended = run("status", "--findings", "-f", "json")
    assert (ended.code, json.loads(ended.out)[0]["Code"]) == (5, "policy-broken")
    assert "looks after prod: end that first" in run("status", "--forget", "prod").err
    lease.release()
    ended = run("status", "-f", "json")
    assert (ended.code, json.loads(ended.out)[0]["Trouble"][:24]) == (5, "nobody has looked after ")
    assert json.loads(run("status", "--forget", "prod", "-f", "json").out) == []
    assert (
        run("status", "--forget", "prod").err == "watari: no controller ever looked after prod; those that were: none\n"
    )


def test_serve_wants_to_know_which_clouds_and_takes_no_simulated_ones(run: Run) -> None:
    assert run("serve").err == "watari: name the clouds to look after, such as --cloud prod\n"
    ended = run("serve", "--cloud", "sim")
    assert (ended.code, "lives only while a command works on it" in ended.err) == (2, True)
    assert run("serve", "--cloud", "nowhere").code == 2


def test_serve_does_not_begin_with_a_policy_that_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = {"auth_url": "http://127.0.0.1:1/", "username": "u", "password": "p", "project_name": "p"}
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    Path("clouds.yaml").write_text(json.dumps({"clouds": {"prod": {"auth": auth | domains}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(Path("clouds.yaml").absolute()))
    Path("bad.yaml").write_text("serve: {balance: sometimes}\n")
    ended = run("serve", "--cloud", "prod", "--policy", "bad.yaml")
    assert ended.code == 2
    assert "bad.yaml:1: serve.balance" in ended.err


def test_what_people_change_is_written_down_with_who_why_and_what_came_of_it(
    run: Run, store: Store, plan: Plan
) -> None:
    assert run("audit").err.startswith("nobody has changed anything in ")
    id = proposed(store, plan)
    run("plans", "reject", id, "--why", "a backup")
    run("plans", "approve", id)
    run("stop", "--cloud", "prod", "--why", "storage")
    run("go", "--cloud", "prod")
    rows = json.loads(run("audit", "-f", "json").out)
    told = [(row["Action"], row["Subject"], row["Why"], row["Outcome"]) for row in rows]
    assert told[0] == ("go", "prod", "", "done")
    assert told[1] == ("stop", "prod", "storage", "done")
    assert told[2][:3] == ("approve plan", id, "")
    assert "it is rejected" in told[2][3]
    assert told[3] == ("reject plan", id, "a backup", "done")
    assert {(row["By"], row["Via"], row["Cloud"]) for row in rows} == {(whoami(), "cli", "prod")}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--api-rate", "5/second"], "add --api HOST:PORT"),
        (["--api", "0.0.0.0:0"], "needs --api-keystone CLOUD"),
        (["--api", "127.0.0.1"], "--api 127.0.0.1: write an address and a port"),
        (["--api", "127.0.0.1:0", "--api-rate", "often"], '"often" is no rate'),
        (["--api", "127.0.0.1:0", "--api-rules", "nowhere.yaml"], "nowhere.yaml: there is no such file of rules"),
        (["--api", "127.0.0.1:0", "--api-keystone", "nowhere"], "--api-keystone nowhere"),
    ],
)
def test_an_api_that_cannot_be_served_is_said_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.setattr("watari.app.serving.controller.open_cloud", lambda name: None)
    ended = run("serve", "--cloud", "prod", *options)
    assert ended.code == 2
    assert words in ended.err


def test_putting_a_member_back_is_written_down_if_that_can_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = open_cloud("sim:3")
    cloud.name = "prod"
    monkeypatch.setattr("watari.app.clouds.open_cloud", lambda name: cloud)
    words = ("members", "attach", "node-7", "--cloud", "prod", "--why", "it is mended")
    assert run(*words).code == 2
    (row,) = json.loads(run("audit", "-f", "json").out)
    assert (row["Action"], row["Subject"], row["Why"], row["Cloud"]) == (
        "attach member",
        "node-7",
        "it is mended",
        "prod",
    )
    assert "node-7" in row["Outcome"], "why not"
    ended = run(*words, "--database", "/proc/none/runs.db")
    assert "this is not in the record of changes: " in ended.err
    assert "node-7" in ended.err.splitlines()[-1], "it was tried all the same"
