"""`watari plan drain`: the text, the rows, explanations, exit codes, and what is said about bad input."""

import json
import sys
from pathlib import Path

import pytest

from unit.cli.cluster import host, server, written
from unit.cli.conftest import Run


@pytest.fixture
def file(tmp_path: Path) -> str:
    """h1 has one of each kind, h2 and h4 have room, h3 is alone in its zone."""
    path = tmp_path / "drain.json"
    servers = [
        server("web-1", "h1", 1),
        server("old-1", "h1", None, status="SHUTOFF", local_disk_gib=20),
        server("nfv-1", "h1", 1, pinned_by="a PCI device"),
        server("cache-1", "h3", 1),
    ]
    hosts = [host("h1", "az1") | {"disk_gib": 500}, host("h2", "az1") | {"disk_gib": 500}, host("h3", "az2")]
    path.write_text(written(hosts=hosts, servers=servers), encoding="utf-8")
    return str(path)


def drain(run: Run, file: str, *more: str) -> tuple[int, str, str]:
    ended = run("plan", "drain", "--snapshot", file, *more)
    return ended.code, ended.out, ended.err


def test_the_text_says_what_moves_and_what_stays(run: Run, file: str) -> None:
    code, out, err = drain(run, file, "h1", "--reason", "broken DIMM", "--then", "enable")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].endswith(
        ": h1 would keep 1 of 3 servers: 2 moves (1 live, 1 cold) in 2 waves, 8 GiB memory, 20 GiB disk, about 40 s"
    )
    assert "    1 disable h1: watari drain: broken DIMM (2026-01-05T12:00Z)" in lines
    assert "    2 live-migrate web-1 h1 -> h2 (4 vCPU, 8 GiB, about 13 s)" in lines
    assert "    3 cold-migrate old-1 h1 -> h2 (4 vCPU, 20 GiB disk, about 28 s)" in lines
    assert "    4 enable h1" in lines
    assert any(line.startswith("  refused nfv-1: cannot move live: a PCI device. Set drain.pinned") for line in lines)
    assert err == "to carry it out, keep it with -o plan.json, then: watari apply plan.json --cloud CLOUD\n"


def test_the_rows(run: Run, file: str) -> None:
    code, out, err = drain(run, file, "h1", "-f", "json", "--exit-code")
    assert code == 4
    rows = json.loads(out)
    assert [(row["action"], row["server"], row["from"], row["to"]) for row in rows] == [
        ("disable-host", "", "h1", ""),
        ("live-migrate", "web-1", "h1", "h2"),
        ("cold-migrate", "old-1", "h1", "h2"),
    ]
    assert [row["seconds"] for row in rows] == [0, 13, 28]
    assert rows[0]["why"].startswith("watari drain (")
    assert "h1 would keep 1 of 3 servers" in err


@pytest.mark.parametrize(
    ("name", "first_line"),
    [
        ("web-1", "web-1 (id-web-1) is moved by operation 2 of plan "),
        ("id-old-1", "old-1 (id-old-1) is moved by operation 3 of plan "),
        ("nfv-1", "nfv-1 is not moved: cannot move live: a PCI device. "),
        ("cache-1", "cache-1 runs on h3, which is not drained, and stays"),
        ("h1", 'no server "h1" in this snapshot'),
    ],
)
def test_every_server_is_explained(run: Run, file: str, name: str, first_line: str) -> None:
    code, out, err = drain(run, file, "h1", "--explain", name)
    assert (out or err.removeprefix("watari: ")).startswith(first_line)
    assert code == (2 if name == "h1" else 0)


def test_the_plan_is_kept(run: Run, file: str) -> None:
    code, _, err = drain(run, file, "h1", "-o", "drain.plan")
    assert (code, err) == (0, "apply it: watari apply drain.plan --cloud CLOUD\n")
    kept = json.loads(Path("drain.plan").read_text(encoding="utf-8"))
    assert (kept["job"], len(kept["operations"])) == ("drain", 3)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["h9"], 'no host "h9" in this snapshot; the hosts are h1, h2, h3'),
        (["h1", "--reason", "x" * 201], "the reason has 201 characters; the cloud keeps 200: shorten it"),
        (["h1", "--explain", "web-1", "-f", "json"], "--explain answers in sentences; leave -f away"),
    ],
)
def test_bad_arguments(run: Run, file: str, more: list[str], said: str) -> None:
    assert drain(run, file, *more) == (2, "", f"watari: {said}\n")


def test_usage(run: Run, file: str) -> None:
    assert drain(run, file)[0] == 2
    assert drain(run, file, "h1", "--then", "stop")[0] == 2


def test_storage_that_says_no(run: Run, file: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    words = json.dumps([sys.executable, "-c", "import sys; sys.exit(sys.argv[1] + ' holds the last copy')", "{host}"])
    policy.write_text(f"drain: {{storage_check: {words}}}\n", encoding="utf-8")
    code, out, _ = drain(run, file, "h1", "--policy", str(policy))
    assert code == 5
    assert "nothing was planned: h1 holds disks that must not go away: h1 holds the last copy" in out
    code, out, _ = drain(run, file, "h1", "--policy", str(policy), "--explain", "web-1")
    assert out == "web-1 stays on h1: h1 holds disks that must not go away: h1 holds the last copy\n"


def test_a_drain_is_carried_out(run: Run) -> None:
    planned = run("plan", "drain", "az2-h02", "--cloud", "sim:9/60@4", "-o", "plan.json", "-q")
    assert (planned.code, ": az2-h02 would be empty: " in planned.out) == (0, True)
    assert run("apply", "plan.json", "--yes", "-q").code == 0
    again = run("plan", "drain", "az2-h02", "--cloud", "sim:9/60@4", "-q")
    assert ": az2-h02 is empty and would take no more servers" in again.out
