"""The controller's API with the lab's own Keystone: who gets in, and what they may do."""

import re
from collections.abc import Callable

import httpx
import pytest

from command import Process, Watari, ending, until
from lab.nova import Nova
from watari.lab.clouds import ADMIN, DEMO, USER, connect
from watari.web.api.callers import Unauthorised
from watari.web.api.keystone import KeystoneTokens
from watari.web.api.rules import Rules

Token = Callable[[str], str]


@pytest.fixture
def token(nova: Nova) -> Token:
    """A token of one of the lab's clouds."""
    return lambda cloud: str(connect(nova.lab.place, cloud).auth_token)


def test_keystone_says_who_asks(watari: Watari, nova: Nova, token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(watari.clouds_yaml))
    door, rules = KeystoneTokens.of_cloud(ADMIN), Rules()
    admin, member = door.caller({"x-auth-token": token(ADMIN)}), door.caller({"x-auth-token": token(USER)})
    assert (admin.user, "admin" in admin.roles) == ("admin@Default", True)
    assert rules.allowed(admin) == ["read", "decide", "stop", "admin"]
    assert (member.user, rules.allowed(member)) == ("demo@Default", []), "a member of some tenant sees nothing"
    assert rules.may(door.caller({"x-auth-token": token(DEMO)}), "admin"), "an administrator is one of the whole cloud"
    assert Rules(operators_project=member.project).allowed(member) == ["read", "decide", "stop"]
    for foreign in ("gAAAAABnothing", "x" * 300):
        with pytest.raises(Unauthorised):
            door.caller({"x-auth-token": foreign})


def test_a_token_that_was_revoked_is_soon_none(
    watari: Watari, nova: Nova, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(watari.clouds_yaml))
    door, mine = KeystoneTokens.of_cloud(ADMIN, trusted_s=0.0), token(USER)
    assert door.caller({"x-auth-token": mine}).user == "demo@Default"
    admin = connect(nova.lab.place, ADMIN)
    admin.identity.delete("/auth/tokens", headers={"X-Subject-Token": mine}).raise_for_status()
    with pytest.raises(Unauthorised):
        door.caller({"x-auth-token": mine})


def test_the_controller_answers_with_what_it_sees_and_nothing_moves(watari: Watari, nova: Nova, token: Token) -> None:
    policy = watari.home / "policy.yaml"
    policy.write_text("name: observing\nserve: {every: 5 s, balance: observe}\n")
    mark = nova.mark()
    words = ("serve", "--cloud", ADMIN, "--policy", policy, "--api", "127.0.0.1:0", "--api-keystone", ADMIN)
    with ending(watari.start(*words)) as process:
        url = address(process)
        headers = {"X-Auth-Token": token(ADMIN)}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:

            def looked() -> dict[str, object] | None:
                (cloud,) = client.get("/v1/clouds").raise_for_status().json()["items"] or [{}]
                return cloud if cloud.get("hosts") else None

            cloud = until("a look", looked)
            assert (cloud["name"], cloud["mode"], cloud["hosts"]) == (ADMIN, "observe", len(nova.lab.spec.hosts))
            state = client.get(f"/v1/clouds/{ADMIN}/state").json()
            assert {host["name"] for host in state["hosts"]} == set(nova.lab.spec.hosts)
            headers = {"X-Auth-Token": token(USER)}
            assert client.get("/v1/clouds", headers=headers).status_code == 403
            assert client.get("/v1/clouds", headers={"X-Auth-Token": "nothing"}).status_code == 401
        process.terminate()
        assert process.wait(60) == 0
    assert nova.since(mark) == []


def address(process: Process) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"page and API on (\S+)", line):
            return found[1]
    raise AssertionError("the controller ended")
