"""Tokens of Keystone, through the real keystonemiddleware. Keystone is a fake here, and real in the lab's tests."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from durable.serving.api.fake_keystone import PASSWORD, Keystone, keystone, token
from watari.errors import BadInput, Transient
from watari.web.api.callers import Unauthorised
from watari.web.api.keystone import KeystoneTokens
from watari.web.api.rules import Rules


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keystone]:
    """A Keystone, and a clouds.yaml whose cloud `prod` it knows."""
    with keystone() as one:
        write(tmp_path, one.url, PASSWORD)
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
        yield one


def write(folder: Path, url: str, password: str) -> None:
    auth = {"auth_url": url, "username": "watari", "password": password, "project_name": "service"}
    auth |= {"user_domain_id": "default", "project_domain_id": "default"}
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"prod": {"auth": auth}}}))


def test_a_token_says_who_asks_and_with_which_roles(away: Keystone) -> None:
    away.tokens = {"t1": token("mai", "member", "reader", system=True), "t2": token("tom", "member", project="p2")}
    door, rules = KeystoneTokens.of_cloud("prod"), Rules()
    mai, tom = door.caller({"x-auth-token": "t1"}), door.caller({"authorization": "Bearer t2"})
    assert (mai.user, mai.roles, mai.system, mai.project) == ("mai@Default", ("member", "reader"), True, "")
    assert (tom.user, tom.system, tom.project) == ("tom@Default", False, "p2")
    assert (rules.may(mai, "decide"), rules.may(tom, "read")) == (True, False)
    assert Rules(operators_project="p2").may(tom, "decide")


@pytest.mark.parametrize("sent", [{}, {"x-auth-token": "foreign"}, {"x-auth-token": "expired"}, {"x-auth-token": "ä"}])
def test_a_foreign_or_expired_token_opens_nothing(away: Keystone, sent: dict[str, str]) -> None:
    away.tokens = {"expired": token("mai", "admin", system=True, lasts_s=-60)}
    with pytest.raises(Unauthorised, match="token"):
        KeystoneTokens.of_cloud("prod").caller(sent)


def test_keystone_is_asked_about_a_token_once_in_a_while_only(away: Keystone) -> None:
    away.tokens = {"t1": token("mai", "member", system=True)}
    door = KeystoneTokens.of_cloud("prod")
    for _ in range(50):
        door.caller({"x-auth-token": "t1"})
    assert away.asked == ["t1"]
    door.trusted_s = 0.0
    door._known.clear()
    away.tokens = {}
    with pytest.raises(Unauthorised):
        for _ in range(2):
            door.caller({"x-auth-token": "t1"})


def test_a_refused_token_is_not_remembered(away: Keystone) -> None:
    door = KeystoneTokens.of_cloud("prod")
    with pytest.raises(Unauthorised):
        door.caller({"x-auth-token": "soon"})
    away.tokens = {"soon": token("mai", "admin", project="p")}
    assert door.caller({"x-auth-token": "soon"}).user == "mai@Default"


def test_while_keystone_is_away_nobody_gets_in_and_that_is_said(away: Keystone) -> None:
    door = KeystoneTokens.of_cloud("prod")
    away.away = True
    with pytest.raises(Transient, match="Keystone does not answer"):
        door.caller({"x-auth-token": "t1"})
    away.away = False
    away.tokens = {"t1": token("mai", "member", system=True)}
    assert door.caller({"x-auth-token": "t1"}).user == "mai@Default"


def test_who_was_let_in_a_moment_ago_can_still_stop_things_while_keystone_is_away(
    away: Keystone, monkeypatch: pytest.MonkeyPatch
) -> None:
    away.tokens = {"t1": token("mai", "member", system=True), "short": token("rie", "member", system=True, lasts_s=1.0)}
    door = KeystoneTokens.of_cloud("prod", trusted_s=0.0)
    for one in ("t1", "short"):
        door.caller({"x-auth-token": one})
    away.away = True
    assert door.caller({"x-auth-token": "t1"}).user == "mai@Default"
    time.sleep(1.1)
    with pytest.raises(Transient):
        door.caller({"x-auth-token": "short"})
    monkeypatch.setattr("watari.web.api.keystone.AWAY_S", 0.0)
    with pytest.raises(Transient):
        door.caller({"x-auth-token": "t1"})
    away.away, away.tokens = False, {}
    with pytest.raises(Unauthorised):
        door.caller({"x-auth-token": "t1"})
    away.away = True
    monkeypatch.setattr("watari.web.api.keystone.AWAY_S", 600.0)
    with pytest.raises(Transient):
        door.caller({"x-auth-token": "t1"})


def test_a_cloud_that_is_not_there_is_named(away: Keystone) -> None:
    with pytest.raises(BadInput, match="--api-keystone nowhere"):
        KeystoneTokens.of_cloud("nowhere")


def test_the_account_s_password_is_in_no_message(
    away: Keystone, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, away.url, "wrong-hunter2")
    with pytest.raises((Transient, Unauthorised)) as caught:
        KeystoneTokens.of_cloud("prod").caller({"x-auth-token": "t1"})
    assert "hunter2" not in f"{caught.value} {caplog.text}"
