"""The command that says whether a host's disks may go away: only a clear yes is a yes."""

import sys
from pathlib import Path

import pytest

from unit.drain.small_drains import H1, H2, server, snapshot
from watari.app.drain import asked
from watari.app.storage import storage_of
from watari.drivers.storage_hook import StorageHook
from watari.errors import BadInput
from watari.model.compute import HostName
from watari.policy.load import parse_policy
from watari.policy.values import Drain, Policy

HOST = HostName("az1-h07")


def saying(code: str, *more: str) -> StorageHook:
    return StorageHook((sys.executable, "-c", code, *more), patience_s=30.0)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("pass", ""),
        ("print('all is well')", ""),
        ("print('2 PGs would be inactive'); print('more'); raise SystemExit(1)", "2 PGs would be inactive"),
        ("import sys; sys.exit('not ok to stop')", "not ok to stop"),
        ("print(); print('  spaced  '); raise SystemExit(16)", "spaced"),
        ("import os; os.write(1, b'\\xff no'); raise SystemExit(1)", "\ufffd no"),
        ("print('x' * 1000); raise SystemExit(1)", "x" * 300),
        ("raise SystemExit(3)", f"{sys.executable} ended with exit code 3"),
    ],
)
def test_what_it_says(code: str, why: str) -> None:
    assert saying(code).why_not_stop(HOST) == why


def test_the_host_is_named_without_a_shell() -> None:
    hook = saying("import sys; sys.exit(' '.join(sys.argv[1:]))", "{host}", "--id={host}", "$HOME; rm")
    assert hook.why_not_stop(HOST) == "az1-h07 --id=az1-h07 $HOME; rm"


def test_a_command_that_does_not_answer_says_no() -> None:
    hook = StorageHook((sys.executable, "-c", "import time; time.sleep(60)"), patience_s=0.2)
    assert hook.why_not_stop(HOST) == f"{sys.executable} gave no answer within 0 s"


def test_a_command_that_cannot_be_run_says_no(tmp_path: Path) -> None:
    assert StorageHook(("/does/not/exist", "{host}")).why_not_stop(HOST) == (
        "/does/not/exist cannot be run: No such file or directory"
    )
    plain = tmp_path / "plain"
    plain.write_text("no program", encoding="utf-8")
    assert StorageHook((str(plain),)).why_not_stop(HOST) == f"{plain} cannot be run: Permission denied"
    assert "cannot be run: " in StorageHook(("a\0b",)).why_not_stop(HOST)


def test_it_is_asked_about_every_host_once_and_not_about_unknown_ones(tmp_path: Path) -> None:
    log = tmp_path / "asked"
    code = (
        f"import sys; h = sys.argv[1]; open({str(log)!r}, 'a').write(h + chr(10)); sys.exit('no' if h == 'h2' else 0)"
    )
    policy = Policy(drain=Drain(storage_check=(sys.executable, "-c", code, "{host}")))
    request = asked(snapshot([server("web-1")]), policy, ["h2", "h1", "h2"], "firmware", then_enable=True)
    assert request.storage_why == {H1: "", H2: "no"}
    assert (request.hosts, request.reason, request.then_enable) == ((H2, H1), "firmware", True)
    assert log.read_text(encoding="utf-8").split() == ["h2", "h1"]
    with pytest.raises(BadInput):
        asked(snapshot([]), policy, ["h9"])
    assert log.read_text(encoding="utf-8").split() == ["h2", "h1"]


def test_without_a_command_nobody_is_asked() -> None:
    assert storage_of(Policy()) is None
    assert asked(snapshot([]), Policy(), ["h1"]).storage_why == {}
    policy = parse_policy('drain: {storage_check: [/usr/local/bin/may-stop, "{host}"]}', "p.yaml")
    assert storage_of(policy) == StorageHook(("/usr/local/bin/may-stop", "{host}"))


def test_it_tells_nobody_anything() -> None:
    hook = StorageHook(("/does/not/exist",))
    hook.quiesce(HOST)
    hook.resume(HOST)
