"""Done when: `kill -9` at any moment asks for nothing twice and loses nothing, counted in Nova's own list."""

import random
import subprocess
from pathlib import Path

from lab import plans
from lab.cli import Process, Watari, kill
from lab.conftest import CROWD, CROWD_HOSTS
from lab.nova import Moved, Nova
from watari.model.compute import Server
from watari.plan.plan import Plan

ROUNDS = 5
KILLS = 20
SEED = 7
LONGEST_S = 9.0  # of which a process needs two or three to begin


def test_done_when_two_hundred_moves_survive_twenty_kills(watari: Watari, nova: Nova, crowd: list[Server]) -> None:
    chance, killed, moved = random.Random(SEED), 0, 0
    policy = plans.wide(watari.home)
    for left in range(ROUNDS, 0, -1):
        plan = plans.of_moves(nova.lab.spec, [(s, beside(s.host)) for s in nova.some(CROWD)], policy)
        file = plans.written(plan, watari.home / f"{plan.id}.json")
        mark = nova.mark()
        share = -(-(KILLS - killed) // left)
        killed += carried_out(watari, file, plan, policy, [chance.uniform(0.5, LONGEST_S) for _ in range(share)])
        assert_as_planned(watari, nova, plan, nova.since(mark))
        moved += len(plan.operations)
    assert moved == ROUNDS * len(CROWD)
    assert killed >= KILLS // 2, "the moves were over before the process could be killed: choose shorter moments"


def beside(host: str) -> str:
    """The other one of two hosts, so that servers go to and fro."""
    return CROWD_HOSTS[CROWD_HOSTS.index(host) ^ 1]


def carried_out(watari: Watari, file: Path, plan: Plan, policy: Path, moments: list[float]) -> int:
    """Carry a plan out, killing the process after each of `moments`; returns how often that hit a living one."""
    killed = 0
    for after_s in moments:
        process = begun(watari, file, plan, policy)
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            kill(process)
            killed += 1
        else:
            ended = watari.end(process)
            assert ended.code == 0, ended
            break
    ended = watari.run("apply", file, "--policy", policy, "--yes")
    assert ended.code == 0, ended
    return killed


def begun(watari: Watari, file: Path, plan: Plan, policy: Path) -> Process:
    """Resume the run if there is one by now, else apply the plan."""
    known = (watari.home / "state" / "runs.db").exists() and any(
        row["Run"] == plans.run_of(plan) for row in watari.table("runs", "list")
    )
    if known:
        return watari.start("runs", "resume", plans.run_of(plan))
    return watari.start("apply", file, "--policy", policy, "--yes")


def assert_as_planned(watari: Watari, nova: Nova, plan: Plan, asked: list[Moved]) -> None:
    """Every server is where the plan says, or at its source with the reason; nothing was asked for twice."""
    nova.at_rest()
    rows = {row["Subject"]: row for row in watari.table("runs", "show", plans.run_of(plan))}
    places = nova.places()
    for op in plan.operations:
        row, requests = rows[op.name], [m for m in asked if m.server == op.subject]
        assert len(requests) <= 1, (op.name, requests)
        if row["State"] == "done":
            assert places[op.name] == op.target, row
            assert [m.status for m in requests] == ["completed"], (row, requests)
        else:
            assert (places[op.name], bool(row["Note"])) == (op.source, True), row
    assert {row["State"] for row in rows.values()} == {"done"}, [row for row in rows.values() if row["State"] != "done"]
