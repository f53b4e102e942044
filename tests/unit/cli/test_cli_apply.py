"""`watari apply`: the question, the lines, failed and stale plans, Ctrl-C."""

import io
import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from unit.cli.conftest import Run
from watari.act import journal
from watari.app.clouds import working_on
from watari.app.plans import load_plan, save_plan
from watari.cli import apply_view
from watari.plan.plan import Plan

CLOUD = "sim:10@2"


@pytest.fixture
def plan(run: Run) -> Plan:
    """A plan of four moves for a simulated cloud of ten hosts, in plan.json."""
    assert run("plan", "balance", "--cloud", CLOUD, "-o", "plan.json").code == 0
    made = load_plan("plan.json")
    assert len(made.operations) == 4
    return made


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_without_a_terminal_it_has_to_be_told_to(run: Run, plan: Plan) -> None:
    ended = run("apply", "plan.json")
    assert (ended.code, ended.out) == (2, "")
    lines = ended.err.splitlines()
    assert lines[0].startswith(f"plan balance {plan.id} on sim:10/125@2: 4 moves in 3 waves")
    assert lines[1].startswith("  starved 2 -> 0")
    assert lines[2:] == ["watari: nothing was done: this would carry out 4 moves; add --yes to go ahead"]


class Typed(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("n\n", 130), ("\n", 130), ("", 130), ("y\n", 0), ("Yes\n", 0)])
def test_on_a_terminal_it_asks(run: Run, plan: Plan, monkeypatch: pytest.MonkeyPatch, answer: str, code: int) -> None:
    monkeypatch.setattr("sys.stdin", Typed(answer))
    ended = run("apply", "plan.json")
    assert ended.code == code
    assert "Carry out 4 moves? [y/N] " in ended.err
    assert ("nothing was done" in ended.err) == (code == 130)


def test_every_change_is_a_line_and_the_last_is_the_result(run: Run, plan: Plan, tmp_path: Path) -> None:
    ended = run("apply", "plan.json", "--yes")
    assert ended.code == 0
    *changes, result = rows(ended.out)
    for op in plan.operations:
        mine = [row for row in changes if row["operation"] == op.id]
        assert [row["state"] for row in mine][-1] == "done"
        assert {(row["server"], row["from"], row["to"]) for row in mine} == {(op.name, op.source, op.target)}
    written = tmp_path / "state" / "journal" / f"{plan.id}.jsonl"
    assert result == {
        "event": "result",
        "run": f"r-{plan.id[2:]}",
        "done": 4,
        "failed": 0,
        "undone": 0,
        "skipped": 0,
        "not_started": 0,
        "out_of_service": [],
        "starved_before": 2,
        "starved_after": 0,
        "seconds": result["seconds"],
        "journal": str(written),
    }
    assert written.exists()
    assert ended.err.splitlines()[2:] == [
        "4 done, 0 failed, 0 skipped in 2 min of the cloud's time",
        "  starved 2 -> 0",
        f"  journal {written}",
    ]


def test_twice_is_safe(run: Run, plan: Plan) -> None:
    first, second = run("apply", "plan.json", "--yes"), run("apply", "plan.json", "--yes", "-q")
    assert (first.code, second.code, second.err) == (0, 0, "")
    assert {row["text"] for row in rows(second.out)[:-1]} == {f"is on {op.target} already" for op in plan.operations}


def test_an_empty_plan_is_done_at_once(run: Run) -> None:
    run("plan", "balance", "--cloud", "sim:3", "-o", "plan.json")
    ended = run("apply", "plan.json")
    assert (ended.code, ended.out) == (0, "")
    assert "nothing to do" in ended.err


def test_what_cannot_be_done_is_3_and_said(run: Run, plan: Plan) -> None:
    op = plan.operations[0]
    assert op.move is not None
    step = replace(op.move, source=op.target, target=op.source)
    save_plan(replace(plan, operations=(replace(op, steps=(step,)), *plan.operations[1:])), "plan.json")
    ended = run("apply", "plan.json", "--yes")
    assert ended.code == 0  # it is where the changed plan wants it already
    ends = {end for o in plan.operations for end in (o.source, o.target)}
    elsewhere = min(ends - {op.source, op.target})
    step = replace(op.move, source=op.target, target=elsewhere)
    save_plan(replace(plan, operations=(replace(op, steps=(step,)),)), "plan.json")
    ended = run("apply", "plan.json", "--yes")
    assert ended.code == 3
    assert rows(ended.out)[-1]["skipped"] == 1
    assert "0 done, 0 failed, 1 skipped" in ended.err
    assert f"  skipped {op.name} {step.source} -> {step.target}: is on {op.source}, not on" in ended.err


def test_a_stale_plan_is_12(run: Run, plan: Plan) -> None:
    late = plan.made_at - timedelta(hours=1)
    save_plan(replace(plan, expires_at=late), "late.json")
    ended = run("apply", "late.json", "--yes")
    assert (ended.code, ended.out) == (12, "")
    assert ended.err.splitlines()[-1] == (
        "watari: the plan expired at 2026-01-05 11:10 UTC, it is 2026-01-05 12:10 UTC: plan again"
    )
    ended = run("apply", "plan.json", "--yes", "--policy", "cautious")
    assert ended.code == 12
    assert ended.err.splitlines()[-1].startswith("watari: the plan was made under another policy (")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "plan.json: No such file or directory; make a plan with `watari plan balance --cloud sim -o plan.json`"),
        ("", "plan.json ends early"),
        ("{}", "plan.json is not a plan file; make one with `watari plan balance -o plan.json`"),
        ('{"watari_snapshot": 1}', "plan.json is a snapshot, not a plan; plan for it: "),
        ('{"watari_plan": 99}', "plan.json is of plan format 99, this Watari reads format 1"),
    ],
)
def test_what_is_no_plan(run: Run, content: str | None, said: str) -> None:
    if content is not None:
        Path("plan.json").write_text(content, encoding="utf-8")
    ended = run("apply", "plan.json", "--yes")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"watari: {said}")


def test_a_plan_for_a_file_needs_a_cloud(run: Run, cluster_file: str) -> None:
    run("plan", "balance", "--snapshot", cluster_file, "-o", "plan.json")
    ended = run("apply", "plan.json", "--yes")
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == (
        "watari: the plan was made on a snapshot from a file: name the cloud to apply it to with --cloud"
    )
    assert run("apply", "plan.json", "--yes", "--os-cloud", "prod").code == 2


def test_a_plan_is_applied_to_no_other_cloud(run: Run, plan: Plan) -> None:
    ended = run("apply", "plan.json", "--yes", "--cloud", "sim:10@3")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1] == (
        "watari: the plan was made for sim:10/125@2, not for sim:10@3: plan again on sim:10@3"
    )
    assert run("apply", "plan.json", "--yes", "--cloud", "sim:10/125@2").code == 0


def test_only_one_works_on_a_cloud(run: Run, plan: Plan) -> None:
    with working_on(CLOUD):
        ended = run("apply", "plan.json", "--yes")
        fresh = run("plan", "balance", "--cloud", CLOUD, "--fresh")
    said = f"watari: another watari works on sim:10/125@2 (pid {os.getpid()}); wait for it"
    assert (ended.code, ended.out, ended.err.splitlines()[-1]) == (11, "", said)
    assert (fresh.code, fresh.err.splitlines()[-1]) == (11, said)
    assert run("apply", "plan.json", "--yes").code == 0


def test_what_starved_before_is_measured(run: Run, plan: Plan) -> None:
    save_plan(replace(plan, forecast=replace(plan.forecast, starved_before=99)), "plan.json")
    assert rows(run("apply", "plan.json", "--yes").out)[-1]["starved_before"] == 2
    assert rows(run("apply", "plan.json", "--yes").out)[-1]["starved_before"] == 0


def test_an_empty_plan_can_be_stale_too(run: Run, plan: Plan) -> None:
    save_plan(replace(plan, operations=(), expires_at=plan.made_at - timedelta(hours=1)), "late.json")
    assert run("apply", "late.json").code == 12


def test_the_first_ctrl_c_finishes_and_the_second_ends(run: Run, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    presses = {2}

    class Pressed(apply_view.JsonLines):
        shown = 0

        def show(self, run: journal.Run, now: Any) -> None:
            super().show(run, now)
            Pressed.shown += 1
            if Pressed.shown in presses:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(apply_view, "JsonLines", Pressed)
    ended = run("apply", "plan.json", "--yes")
    assert ended.code == 130
    said = rows(ended.out)
    (stopping,) = [row for row in said if row["event"] == "stopping"]
    assert stopping["text"] == "finishing the moves under way, starting no more; Ctrl-C again ends at once"
    assert (said[-1]["done"], said[-1]["not_started"]) == (2, 2)
    assert "2 done, 0 failed, 0 skipped, 2 not started in " in ended.err
    assert ended.err.endswith("interrupted; go on with: watari apply plan.json\n")

    Pressed.shown, presses = 0, {1, 2}
    ended = run("apply", "plan.json", "--yes")
    assert ended.code == 130
    assert [row for row in rows(ended.out) if row["event"] == "result"] == []
    assert ended.err.endswith("ended at once: what the cloud was asked for goes on there\nwatari: interrupted\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_a_real_process(run: Run, program: Callable[..., "subprocess.Popen[str]"]) -> None:
    run("plan", "balance", "--cloud", "sim:60", "-o", "plan.json")
    with program("apply", "plan.json", "--yes") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    result = rows(out)[-1]
    assert result["event"] == "result"
    assert result["not_started"] > 0
    assert result["failed"] == 0
    assert "Traceback" not in err
