"""Done when: `kill -9` at any moment asks for nothing twice and loses nothing, counted in Nova's own list."""

import random
import subprocess

from command import Process, Watari, ending, kill
from lab.nova import Nova
from lab.parts import DONE
from lab.scene import Scene
from watari.model.compute import Server

ROUNDS = 5
KILLS = 20
SEED = 7
EARLY = 0.2  # share of kills while the process begins: it reads its files, opens its database, takes its lease
LONGEST_S = 2.0  # that it may work before it is killed


def test_done_when_two_hundred_moves_survive_twenty_kills(watari: Watari, nova: Nova, crowd: list[Server]) -> None:
    chance, killed, moved = random.Random(SEED), 0, 0
    for left in range(ROUNDS, 0, -1):
        scene = Scene.of(
            watari, nova, DONE.crowd, at_once=8
        )  # more at once only keeps Nova busy with telling how they are
        killed += carried_out(scene, chance, -(-(KILLS - killed) // left))
        assert_as_planned(scene)
        moved += len(scene.plan.operations)
    assert moved == ROUNDS * len(DONE.crowd)
    assert killed == KILLS, "the moves were over before the process could be killed: make LONGEST_S shorter"


def carried_out(scene: Scene, chance: random.Random, kills: int) -> int:
    """Carry a plan out, killing the process again and again; returns how often that hit a living one."""
    killed, known = 0, False
    for _ in range(kills):
        process = scene.begin_resume() if known else scene.begin()
        with ending(process):
            if chance.random() < EARLY:
                wait_s = chance.uniform(0.3, 3.0)
            else:
                known = at_work(process) or known
                wait_s = chance.uniform(0.0, LONGEST_S)
            try:
                process.wait(wait_s)
            except subprocess.TimeoutExpired:
                kill(process)
                killed += 1
    ended = scene.apply()
    assert ended.code == 0, ended
    return killed


def at_work(process: Process) -> bool:
    """Wait until it tells of the first change; then its run is in the database."""
    assert process.stdout is not None
    return process.stdout.readline() != ""


def assert_as_planned(scene: Scene) -> None:
    """Every server is where the plan says, or at its source with the reason; nothing was asked for twice."""
    scene.nova.at_rest()
    rows = {row["Subject"]: row for row in scene.watari.table("runs", "show", scene.run)}
    places, asked = scene.nova.places(), scene.asked
    for op in scene.plan.operations:
        row, requests = rows[op.name], [m for m in asked if m.server == op.subject]
        assert len(requests) <= 1, (op.name, requests)
        if row["State"] == "done":
            assert places[op.name] == op.target, row
            assert [m.status for m in requests] == ["completed"], (row, requests)
        else:
            assert (places[op.name], bool(row["Note"])) == (op.source, True), row
    assert {row["State"] for row in rows.values()} == {"done"}, [row for row in rows.values() if row["State"] != "done"]
