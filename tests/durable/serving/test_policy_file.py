"""A policy file that is edited, half written, broken or gone while a controller works by it."""

import logging

import pytest

from durable.serving.conftest import Sit


def test_a_policy_that_breaks_stays_as_it_was_and_is_a_finding(sit: Sit, caplog: pytest.LogCaptureFixture) -> None:
    desk = sit("observe")
    desk.policy.write_text("serve: {balance: sometimes}\n")
    with caplog.at_level(logging.WARNING):
        look, again = desk.look(), desk.look()
    (finding,) = look.findings
    assert (finding.code, finding.severity, look.mode) == ("policy-broken", "error", "observe")
    assert "policy.yaml:1: serve.balance" in finding.text
    assert again.findings == look.findings
    assert caplog.text.count("serve.balance") == 1, "said once"
    desk.write("suggest")
    look = desk.look()
    assert (look.findings, look.mode, desk.states()) == ((), "suggest", ["suggested"])


def test_a_policy_that_is_gone_is_a_broken_one(sit: Sit) -> None:
    desk = sit("observe")
    desk.policy.unlink()
    assert desk.look().findings[0].code == "policy-broken"


def test_a_half_written_policy_is_not_followed(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("automatic", "exclude: {servers: ['s*']}\n")
    monkeypatch.setattr("watari.app.serving.policy_file.SETTLE_S", 60.0)
    whole = desk.policy.read_text()
    desk.policy.write_text(whole[: whole.index("exclude")])
    desk.look()
    assert desk.proposals() == []
    desk.policy.write_text(whole)
    monkeypatch.setattr("watari.app.serving.policy_file.SETTLE_S", 0.0)
    assert desk.look().findings == ()


def test_an_empty_policy_file_is_a_broken_one(sit: Sit) -> None:
    desk = sit("observe")
    desk.policy.write_text("\n")
    look = desk.look()
    assert (look.mode, look.findings[0].code) == ("observe", "policy-broken")
    assert "is empty" in look.findings[0].text


def test_while_the_policy_settles_nothing_begins_under_the_old_one(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sit("automatic")
    desk.look()
    monkeypatch.setattr("watari.app.serving.policy_file.SETTLE_S", 60.0)
    desk.write("off")
    assert desk.reconciler.begin_approved() == []
    assert desk.runs() == []
