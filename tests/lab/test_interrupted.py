"""Runs that are interrupted: at every write of the journal, by Ctrl-C, by a full disk, by a database that is away."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from command import Ended, Watari, ending, until
from lab import clouds
from lab.nova import Nova
from lab.parts import FAULTS
from lab.scene import Scene
from watari.lab.lab import Lab
from watari.model.compute import Server

POINTS = [(moment, state) for state in ("intended", "running", "done") for moment in ("before", "after")]
DATABASE_AWAY_S = 60.0


# kill -9 at every write of the journal, each point with servers of its own, all at the same time


@pytest.fixture(scope="module")
def killed(
    lab: Lab, nova: Nova, crowd: list[Server], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], tuple[Scene, Ended, Ended]]:
    for host in FAULTS.hosts:
        lab.knobs(host, seconds=1)

    base = tmp_path_factory.mktemp("killed")

    def play(n: int, point: tuple[str, str]) -> tuple[Scene, Ended, Ended]:
        home = base / "-".join(point)
        watari = Watari(clouds.written(lab.paths.clouds_yaml, home / "clouds.yaml"), home)
        scene = Scene.of(watari, nova, FAULTS.crowd[2 * n : 2 * n + 2], at_once=6)
        words = ("apply", scene.file, "--policy", scene.policy, "--yes")
        process = watari.start(*words, module=("lab.dying", *point))
        first = Watari.end(process)
        return scene, first, scene.apply()

    with ThreadPoolExecutor(3) as pool:
        futures = {point: pool.submit(play, n, point) for n, point in enumerate(POINTS)}
        return {point: future.result() for point, future in futures.items()}


@pytest.mark.parametrize("point", POINTS, ids="-".join)
def test_killed_at_a_write_of_the_journal_the_next_apply_goes_on(
    killed: dict[tuple[str, str], tuple[Scene, Ended, Ended]], point: tuple[str, str]
) -> None:
    scene, first, second = killed[point]
    assert first.code == -signal.SIGKILL, first
    assert (second.code, second.result["done"]) == (0, 2), second
    assert scene.arrived == scene.all
    assert (len(scene.asked), scene.once) == (2, True), scene.asked


# Ctrl-C


def test_ctrl_c_finishes_what_is_under_way_and_the_rest_can_be_resumed(
    watari: Watari, nova: Nova, crowd: list[Server]
) -> None:
    scene = slow_scene(watari, nova)
    with ending(scene.begin()) as process:
        until("the first move", lambda: scene.asked)
        process.send_signal(signal.SIGINT)
        ended = watari.end(process)
    assert ended.code == 130, ended
    assert f"watari runs resume {scene.run}" in ended.err or "watari apply" in ended.err
    assert 1 <= len(scene.asked) < 3
    assert len(scene.arrived) == len(scene.asked), "what was under way has been finished"
    assert watari.table("runs", "list")[0]["State"] == "stopped"
    again = scene.resume()
    assert (again.code, scene.arrived) == (0, scene.all), again
    assert scene.once


def test_ctrl_c_twice_ends_at_once_and_the_move_under_way_is_found_again(
    watari: Watari, nova: Nova, crowd: list[Server]
) -> None:
    scene = slow_scene(watari, nova)
    with ending(scene.begin()) as process:
        until("the first move", lambda: scene.asked)
        process.send_signal(signal.SIGINT)
        until("the word of it", lambda: "stopping" in (process.stdout.readline() if process.stdout else "stopping"))
        process.send_signal(signal.SIGINT)
        ended = watari.end(process, 20.0)
    assert ended.code == 130, ended
    again = scene.resume()
    assert (again.code, scene.arrived) == (0, scene.all), again
    assert scene.once


def slow_scene(watari: Watari, nova: Nova) -> Scene:
    scene = Scene.of(watari, nova, FAULTS.crowd[:3], at_once=1)
    for host in {op.source for op in scene.plan.operations}:
        nova.lab.knobs(host, seconds=3)
    return scene


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    where = tmp_path / "disk"
    where.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", where], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def test_a_disk_that_fills_up_stops_the_run_and_freed_it_goes_on(
    watari: Watari, nova: Nova, crowd: list[Server], small_disk: Path
) -> None:
    watari.extra["WATARI_STATE_DIR"] = str(small_disk)
    scene = slow_scene(watari, nova)
    with ending(scene.begin()) as process:
        until("the first move", lambda: scene.asked)
        fill(small_disk / "others")
        ended = watari.end(process)
    assert ended.code == 1, ended
    assert "the disk is full" in ended.err
    assert "free" in ended.err, "what to do is said"
    asked = len(scene.asked)
    assert asked < 3
    (small_disk / "others").unlink()
    written = {row["Operation"] for row in watari.journal(scene.run) if row["State"] == "intended"}
    assert len(written) >= asked, "nothing was asked for that is not written down"
    again = scene.resume()
    assert (again.code, scene.arrived) == (0, scene.all), again
    assert scene.once


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue


# The cloud's own database


@pytest.mark.alone
def test_a_minute_without_the_cloud_s_database_loses_nothing(watari: Watari, nova: Nova, crowd: list[Server]) -> None:
    scene = Scene.of(watari, nova, FAULTS.crowd[:6], at_once=2)
    for host in FAULTS.hosts:  # longer than the outage: what arrives meanwhile Nova itself cannot book, and loses
        nova.lab.knobs(host, seconds=2 * DATABASE_AWAY_S)
    with ending(scene.begin()) as process:
        until("two to be copied", lambda: [m.status for m in scene.asked] == ["running"] * 2)
        nova.lab.stop("mariadb")
        time.sleep(DATABASE_AWAY_S)
        nova.lab.start("mariadb")
        for host in FAULTS.hosts:
            nova.lab.knobs(host, seconds=1)
        ended = watari.end(process)
    nova.at_rest()
    states, notes = watari.told(scene.run)
    assert ended.code == (0 if set(states.values()) == {"done"} else 3), ended
    assert {name for name, state in states.items() if state == "done"} == scene.arrived
    assert scene.arrived | scene.home == scene.all
    assert all(notes[name] for name, state in states.items() if state != "done")
    assert scene.once
