"""The units: systemd reads them, they keep to themselves, and they end as Watari's exit codes say."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from unit.deploy.rendered import DEPLOY, unknown
from watari.act.durable.lease import FENCED
from watari.cli.exits import BUSY, FAILED, INTERRUPTED, USAGE
from watari.policy.load import load_policy

UNITS = DEPLOY / "systemd"
NAMES = ("watari.service", "watari-worker@.service")
ANALYZE = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
MOST_EXPOSED = 20  # of 100, as `systemd-analyze security` counts; what is left is the network, which it needs
Settings = dict[str, list[str]]  # key -> its values, in their order


def unit(name: str) -> dict[str, Settings]:
    """Sections of a unit."""
    sections: dict[str, Settings] = {}
    for line in (UNITS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            section.setdefault(key, []).append(value)
    return sections


def analyze(*words: str) -> str:
    ended = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@ANALYZE
@pytest.mark.parametrize("name", NAMES)
def test_systemd_has_nothing_against_it(name: str, tmp_path: Path) -> None:
    copy = tmp_path / name.replace("@", "@1")
    text = (UNITS / name).read_text().replace("/opt/watari/bin/watari", sys.executable)  # it has to be there
    copy.write_text(text)
    if name == "watari.service":
        shutil.copytree(UNITS / "watari.service.d", tmp_path / "watari.service.d")
    assert analyze("verify", "--man=no", str(copy)) == ""


@ANALYZE
@pytest.mark.parametrize("name", NAMES)
def test_it_is_shut_off_from_the_rest_of_the_machine(name: str, tmp_path: Path) -> None:
    copy = tmp_path / name.replace("@", "@1")
    copy.write_text((UNITS / name).read_text().replace("/opt/watari/bin/watari", sys.executable))
    analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(copy))


@pytest.mark.parametrize("name", NAMES)
def test_it_may_not_become_more_than_it_is(name: str) -> None:
    service = unit(name)["Service"]
    assert service["User"] == ["watari"]
    assert service["NoNewPrivileges"] == service["PrivateTmp"] == service["ProtectHome"] == ["yes"]
    assert service["ProtectSystem"] == ["strict"]
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == [""]
    assert service["StateDirectory"] == ["watari"], "all that it may write to"
    assert "ReadWritePaths" not in service


def test_the_units_are_hardened_alike() -> None:
    walls = ("Protect", "Private", "Restrict", "System", "Capability", "Memory", "Lock", "Remove", "UMask", "NoNew")
    one, other = ({k: v for k, v in unit(name)["Service"].items() if k.startswith(walls)} for name in NAMES)
    assert one == other
    assert len(one) > 15


@pytest.mark.parametrize("name", NAMES)
def test_it_is_started_again_unless_that_mends_nothing(name: str) -> None:
    service = unit(name)["Service"]
    assert service["Restart"] == ["on-failure"]
    never = {int(code) for code in service["RestartPreventExitStatus"][0].split()}
    assert never == ({USAGE} if name == "watari.service" else {USAGE, BUSY})
    assert not never & {FENCED, FAILED}
    assert service["SuccessExitStatus"] == [str(INTERRUPTED)]
    assert unit(name)["Unit"]["StartLimitIntervalSec"] == ["0"], "a database may be away for long"


@pytest.mark.parametrize("name", NAMES)
def test_its_end_may_take_as_long_as_what_is_under_way_may_stand_still(name: str) -> None:
    policy, service = load_policy(), unit(name)["Service"]
    out, back = policy.orchestration.detach_deadline_s, policy.orchestration.attach_deadline_s
    (minutes,) = re.findall(r"(\d+)min", service["TimeoutStopSec"][0])
    assert int(minutes) * 60 == out + policy.budgets.stalled_after_s + back
    assert service["KillMode"] == ["mixed"], "a hook that it waits for is not cut off"


@pytest.mark.parametrize("name", NAMES)
def test_secrets_come_as_credentials_and_the_command_is_watari_s(name: str) -> None:
    service = unit(name)["Service"]
    (command,) = service["ExecStart"]
    program, *words = command.replace("$WATARI_CLOUDS", "--cloud prod").split()
    assert program == "/opt/watari/bin/watari"
    assert unknown(words) == []
    credentials = {line.partition(":")[0] for line in service["LoadCredential"]}
    named = {line.rpartition("%d/")[2] for line in service["Environment"] if "%d/" in line}
    assert named == credentials
    assert all(re.fullmatch(r"\w+=%[dS]/[\w.]+", line) for line in service["Environment"])


def test_the_drop_in_for_postgresql_adds_the_database_s_url_as_a_credential() -> None:
    service = unit("watari.service.d/postgresql.conf")["Service"]
    assert service == {
        "LoadCredential": ["database:/etc/watari/database"],
        "Environment": ["WATARI_DATABASE_FILE=%d/database"],
    }
