"""`watari plan balance`: formats, explanations, exit codes, and what is said about bad input."""

import csv
import io
import json
from pathlib import Path

import pytest

from unit.cli.cluster import AT, cluster, host, server, written
from unit.cli.conftest import Run


def plan(run: Run, file: str, *more: str) -> tuple[int, str, str]:
    ended = run("plan", "balance", "--snapshot", file, *more)
    return ended.code, ended.out, ended.err


def test_the_text_is_the_plan_with_its_findings(run: Run, cluster_file: str) -> None:
    code, out, err = plan(run, cluster_file)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("plan balance p-")
    assert ": 1 move in 1 wave, 8 GiB memory, 0 GiB disk, about" in lines[0]
    assert any(line.startswith("    1 live-migrate api-1 h1 -> h2 ") for line in lines)
    assert "  refused cache-1: az2 has no other host. Add a host to az2." in lines
    assert any(line.startswith("  finding h4: all its servers send no usable load") for line in lines)
    assert err == "to carry it out, keep it with -o plan.json, then: watari apply plan.json --cloud CLOUD\n"
    assert plan(run, cluster_file, "-f", "text") == (code, out, err)
    assert plan(run, cluster_file, "-q") == (code, out, "")


def test_long_lists_what_stays(run: Run, cluster_file: str) -> None:
    _, out, _ = plan(run, cluster_file, "--long")
    assert "  stays db-1: moving api-1 off h1 brings its projected steal from 33 % to 0.0 %" in out


def test_json_is_nothing_but_json(run: Run, cluster_file: str) -> None:
    code, out, err = plan(run, cluster_file, "-f", "json")
    assert code == 0
    (row,) = json.loads(out)
    assert (row["server"], row["from"], row["to"], row["GiB"], row["wave"]) == ("api-1", "h1", "h2", 8.0, 1)
    assert "  refused cache-1: az2 has no other host. Add a host to az2.\n" in err
    assert "live-migrate" not in err


def test_the_other_formats_and_columns(run: Run, cluster_file: str) -> None:
    _, out, _ = plan(run, cluster_file, "-f", "csv", "-c", "server", "-c", "to")
    assert list(csv.reader(io.StringIO(out))) == [["server", "to"], ["api-1", "h2"]]
    _, out, _ = plan(run, cluster_file, "-f", "yaml", "-c", "to")
    assert out == "- to: h2\n"
    _, out, _ = plan(run, cluster_file, "-f", "table", "-c", "server", "--sort-column", "server")
    assert out.splitlines()[1] == "| server |"


def test_an_empty_plan_as_json_is_an_empty_list(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "calm.json"
    path.write_text(written(servers=[server("web-1", "h1", 1)]), encoding="utf-8")
    code, out, err = plan(run, str(path), "-f", "json", "--exit-code")
    assert (code, json.loads(out)) == (0, [])
    assert "nothing to do, no server is starved" in err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-c", "to"], "-c chooses columns of a table; add -f table, json, yaml or csv"),
        (
            ["-f", "json", "-c", "target"],
            "there is no column target; the columns are #, server, from, to, GiB, seconds, wave, steal, why, action",
        ),
        (["--explain", "web-1", "-f", "json"], "--explain answers in sentences; leave -f away"),
        (["--explain", "wbe-1"], 'no server "wbe-1" in this snapshot; did you mean web-1 or db-1?'),
        (["--cloud", "sim"], "--cloud and --snapshot exclude each other: name one"),
        (["--fresh"], "--fresh begins with a simulated cloud anew: name it with --cloud sim"),
        (
            ["--policy", "cautios"],
            'cautios: no such file; did you mean "cautious"?; the shipped policies are cautious, default, published',
        ),
        (["-o", "."], ".: is no regular file; name one, such as plan.json"),
        (["-o", "device"], "device: is no regular file; name one, such as plan.json"),
        (["-o", "-"], "-o names the file to write, such as -o plan.json"),
        (
            ["--os-cloud", "prod"],
            "--cloud and --snapshot exclude each other: name one",
        ),
    ],
)
def test_bad_arguments(run: Run, cluster_file: str, more: list[str], said: str) -> None:
    Path("device").symlink_to("/dev/null")  # the device itself is never named: as root, a mistake would replace it
    code, out, err = plan(run, cluster_file, *more)
    assert (code, out) == (2, "")
    assert err == f"watari: {said}\n"


def test_nothing_to_plan_for(run: Run) -> None:
    ended = run("plan", "balance")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "watari: name a cloud (--cloud sim) or a file (--snapshot cluster.json)\n"
    ended = run("plan", "balance", "--cloud", "simulator")
    assert ended.code == 2
    assert ended.err.startswith('watari: no cloud "simulator" in clouds.yaml; none is known')


@pytest.mark.parametrize(
    ("name", "first_line"),
    [
        ("api-1", "api-1 on h1 moves to h2"),
        ("id-api-1", "api-1 on h1 moves to h2"),
        ("db-1", "db-1 on h1 stays and is relieved"),
        ("cache-1", "cache-1 on h3 is not moved (no-destination)"),
        ("queue-1", "queue-1 on h2 is healthy and stays"),
        ("mute-1", "mute-1 on h4 is left alone: its load is not known"),
    ],
)
def test_every_server_is_explained(run: Run, cluster_file: str, name: str, first_line: str) -> None:
    code, out, err = plan(run, cluster_file, "--explain", name)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == first_line
    assert len(out.splitlines()) > 1


def test_exit_code_4_for_a_plan_that_is_not_empty(run: Run, cluster_file: str) -> None:
    assert plan(run, cluster_file, "--exit-code")[0] == 4
    assert plan(run, cluster_file, "--exit-code", "-f", "json")[0] == 4


def test_a_snapshot_that_nothing_can_be_planned_on_is_5(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    path.write_text(written(hosts=[], servers=[]), encoding="utf-8")
    code, out, _ = plan(run, str(path))
    assert code == 5
    assert "there are no hosts, so there is nothing to plan" in out
    silent = [server(f"web-{i}", "h1", None) for i in range(4)]
    path.write_text(written(servers=silent), encoding="utf-8")
    code, out, _ = plan(run, str(path), "-f", "json")
    assert (code, json.loads(out)) == (5, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty: export it again with `watari snapshot`"),
        (written()[:200], "ends early, at byte 200 (line 1): export it again with `watari snapshot`"),
        (written(servers=[server("web-1", "h9", 1)]), '"h9" is not among the 4 hosts'),
        (written(servers=[server("web-1", "h1", 1), server("web-1", "h1", 1)]), "is the same as that of servers[0]"),
        (written(servers=[server("web-1", "h1", -1)]), "servers[0]"),
        (written(servers=[server("web-1", "h1", 1)]).replace('"cpu_demand": 1', '"cpu_demand": NaN'), ""),
        ("[1, 2]", ""),
    ],
)
def test_bad_snapshots_are_said_and_never_planned_on(run: Run, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    code, out, err = plan(run, str(path), "-o", "plan.json")
    assert (code, out) == (2, "")
    assert err.startswith(f"watari: {path}")
    assert said in err
    assert "Traceback" not in err
    assert not Path("plan.json").exists()


def test_a_host_without_capacity_is_a_finding(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    path.write_text(written(hosts=[*cluster()["hosts"], {**host("h5", "az1"), "cpus": 0}]), encoding="utf-8")
    code, out, _ = plan(run, str(path))
    assert code == 0
    assert "  finding h5: has no capacity: 0 cpus" in out


def test_a_bad_policy_names_its_lines(run: Run, cluster_file: str, tmp_path: Path) -> None:
    policy = tmp_path / "mine.yaml"
    policy.write_text("detect:\n  steel: 5 %\nbudgets:\n  total: many\n", encoding="utf-8")
    code, _, err = plan(run, cluster_file, "--policy", str(policy))
    assert code == 2
    first, second = err.splitlines()
    assert first.startswith(f"watari: {policy}:2: ")
    assert second.startswith(f"{policy}:4: ")


def test_the_plan_is_written_and_how_to_go_on_is_said(run: Run, cluster_file: str) -> None:
    code, out, err = plan(run, cluster_file, "-o", "my plan.json", "--policy", "cautious")
    assert code == 0
    made = json.loads(Path("my plan.json").read_text("utf-8"))
    assert made["watari_plan"] == 1
    assert out.startswith(f"plan balance {made['id']}")
    assert err == "apply it: watari apply 'my plan.json' --cloud CLOUD --policy cautious\n"


def test_a_simulated_cloud_goes_on_where_it_was(run: Run) -> None:
    first = run("plan", "balance", "--cloud", "sim:10@2", "-o", "plan.json")
    assert first.code == 0
    assert first.err == "apply it: watari apply plan.json\n"
    assert run("apply", "plan.json", "--yes").code == 0
    assert run("plan", "balance", "--cloud", "sim:10@2", "--exit-code").code == 0
    assert run("plan", "balance", "--cloud", "sim:10@2", "--fresh", "--exit-code").code == 4


def test_a_snapshot_may_come_from_a_pipe(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(written().encode())))
    code, out, _ = plan(run, "-")
    assert code == 0
    assert "live-migrate api-1 h1 -> h2" in out


def test_the_plan_expires_from_when_the_snapshot_was_taken(run: Run, cluster_file: str) -> None:
    plan(run, cluster_file, "-o", "plan.json")
    assert json.loads(Path("plan.json").read_text("utf-8"))["made_at"] == AT


def test_a_cloud_without_servers_is_none(run: Run) -> None:
    ended = run("plan", "balance", "--cloud", "sim:3/0")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "watari: sim:3/0: a simulated cloud has at least one server, such as sim:3/38\n"


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format": 0}'])
def test_a_damaged_cloud_says_how_to_begin_anew(run: Run, tmp_path: Path, content: str) -> None:
    saved = tmp_path / "state" / "sim-3-38-1.json"
    saved.parent.mkdir()
    saved.write_text(content, encoding="utf-8")
    ended = run("plan", "balance", "--cloud", "sim:3")
    assert ended.code == 2
    assert ended.err.startswith(f"watari: {saved}: ")
    assert ended.err.endswith("; begin anew with --cloud sim:3/38@1 --fresh\n")
    assert run("plan", "balance", "--cloud", "sim:3", "--fresh").code == 0


def test_explain_promises_only_moves_that_are_planned(run: Run, tmp_path: Path) -> None:
    made = cluster()
    made["servers"][1]["load"]["load_per_vcpu"] = 0.5  # steal without a queue: healthy, on a host over its limit
    for each in made["servers"]:
        if each["host"] == "h1":
            each["pinned_by"] = "a PCI device"
    path = tmp_path / "stuck.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    ended = run("plan", "balance", "--snapshot", str(path), "--explain", "db-1")
    assert "is healthy and stays" in ended.out
    assert "h1 is relieved" not in ended.out
    assert "Others leave" not in ended.out
