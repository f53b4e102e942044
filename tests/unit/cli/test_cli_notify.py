"""`watari notify test`, and what `watari serve` says of a file of targets that is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.cli.conftest import Run
from unit.notify.receiver import Answer, Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def write(*targets: str) -> None:
    Path("notify.yaml").write_text("targets:\n" + "".join(f"  - {{{target}}}\n" for target in targets))


def test_it_sends_a_test_message_to_each_target_and_says_what_came_back(run: Run, receiver: Receiver) -> None:
    write(f"name: chat, kind: slack, url: '{receiver.url}'", f"name: hook, kind: webhook, url: '{receiver.url}'")
    receiver.answers = [Answer(200, "ok"), Answer(202, "queued")]
    ended = run("notify", "test", "notify.yaml", "-f", "json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == [
        {"Target": "chat", "Kind": "slack", "Arrived": "yes", "Came back": "200 OK ok"},
        {"Target": "hook", "Kind": "webhook", "Arrived": "yes", "Came back": "202 Accepted queued"},
    ]
    chat, hook = receiver.got
    assert "a test of chat: messages arrive" in chat.body["text"]
    assert (hook.body["kind"], hook.body["target"]) == ("test", "hook")


def test_one_that_has_not_taken_it_is_a_failure_and_no_address_is_shown(run: Run, receiver: Receiver) -> None:
    write(
        f"name: chat, kind: slack, url: '{receiver.url}'",
        "name: lost, kind: slack, url_file: lost.url",
        f"name: hook, kind: webhook, url: '{receiver.url}'",
    )
    receiver.answers = [Answer(404, "no_service"), Answer(200)]
    ended = run("notify", "test", "notify.yaml", "-f", "json")
    rows = json.loads(ended.out)
    assert (ended.code, [row["Arrived"] for row in rows]) == (1, ["no", "no", "yes"])
    assert rows[0]["Came back"] == "answers 404 Not Found no_service"
    assert "lost.url: cannot be read: No such file or directory" in rows[1]["Came back"]
    assert "s3cret" not in ended.out + ended.err


def test_one_target_alone(run: Run, receiver: Receiver) -> None:
    write("name: dead, kind: slack, url: 'http://127.0.0.1:9/'", f"name: hook, kind: webhook, url: '{receiver.url}'")
    ended = run("notify", "test", "notify.yaml", "--target", "hook", "-f", "csv")
    assert ended.code == 0
    assert len(receiver.got) == 1
    ended = run("notify", "test", "notify.yaml", "--target", "hok")
    assert (ended.code, ended.err) == (2, "watari: no target hok in notify.yaml; known: dead, hook\n")


def test_a_file_that_is_wrong_is_bad_input_with_its_lines(run: Run) -> None:
    assert "notify.yaml: no such file; describe in it who is told" in run("notify", "test", "notify.yaml").err
    write("name: chat, kind: slak, url: 'https://hooks.slack.com/s3cret'")
    ended = run("notify", "test", "notify.yaml")
    assert (ended.code, ended.err) == (
        2,
        'watari: notify.yaml:2: targets[0].kind: "slak" is not known; did you mean "slack"?\n',
    )
    write()
    assert run("notify", "test", "notify.yaml").err == "notify.yaml names no target\n"


@pytest.mark.parametrize("more", [(), ("--debug", "-vv")])
def test_not_even_a_traceback_shows_an_address(run: Run, receiver: Receiver, more: tuple[str, ...]) -> None:
    write(f"name: chat, kind: slack, url: '{receiver.url}'")
    receiver.answers = [Answer(500)]
    ended = run("notify", "test", "notify.yaml", *more)
    assert (ended.code, "s3cret" in ended.out + ended.err) == (1, False)


def test_serve_does_not_begin_with_a_file_of_targets_that_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = {"auth_url": "http://127.0.0.1:1/", "username": "u", "password": "p", "project_name": "p"}
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    Path("clouds.yaml").write_text(json.dumps({"clouds": {"prod": {"auth": auth | domains}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(Path("clouds.yaml").absolute()))
    write("name: chat, kind: slack, url: nowhere")
    ended = run("serve", "--cloud", "prod", "--notify", "notify.yaml")
    assert (ended.code, "notify.yaml:2: targets[0].url: holds no address" in ended.err) == (2, True)
