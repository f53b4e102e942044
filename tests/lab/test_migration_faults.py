"""Migrations that fail, never end, or lose a host: the server stays whole, and the run says what happened."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from command import Ended, Watari, ending, until
from lab import clouds
from lab.nova import Nova
from lab.parts import FAULTS
from lab.scene import Scene
from watari.lab.lab import Lab
from watari.model.compute import Server

Played = tuple[Scene, Ended]


def one_on(crowd_hosts: dict[str, str], host: str) -> str:
    return next(name for name in FAULTS.crowd if crowd_hosts[name] == host)


# Faults of the copy, all three at the same time: they are on hosts of their own


@pytest.fixture(scope="module")
def copies(
    lab: Lab, nova: Nova, crowd: list[Server], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[Played]]:
    lab.knobs("cmp15", fail_copy=0.5, seconds=2, fail_precheck=True)
    lab.knobs("cmp17", hang_copy=0.5, seconds=2)
    lab.knobs("cmp19", seconds=60)
    budgets: dict[str, dict[str, str]] = {
        "breaks": {},
        "hangs": {"stalled_after": "6 s"},
        "drags": {"deadline": "8 s"},
        "refused": {},
    }
    hosts = {"breaks": "cmp15", "hangs": "cmp17", "drags": "cmp19", "refused": "cmp16"}
    places, base = nova.places(), tmp_path_factory.mktemp("copies")

    def play(name: str) -> Played:
        home = base / name
        watari = Watari(clouds.written(lab.paths.clouds_yaml, home / "clouds.yaml"), home)
        scene = Scene.of(watari, nova, [one_on(places, hosts[name])], budgets=budgets[name])
        return scene, scene.apply()

    with ThreadPoolExecutor(len(hosts)) as pool:
        futures = {name: pool.submit(play, name) for name in hosts}
    for host in FAULTS.hosts:
        lab.clear_knobs(host)
    nova.at_rest()
    return futures


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("breaks", "failed", ("on cmp15",)),
        ("refused", "failed", ("on cmp16",)),
        ("hangs", "undone", ("no progress for 6 s", "stays on cmp17")),
        ("drags", "undone", ("not over after 8 s", "stays on cmp19")),
    ],
)
def test_a_move_that_cannot_be_leaves_the_server_where_it_was_and_says_why(
    copies: dict[str, Future[Played]], name: str, state: str, words: tuple[str, ...]
) -> None:
    scene, ended = copies[name].result()
    assert (ended.code, ended.result["failed"]) == (3, 1), ended
    states, notes = scene.watari.told(scene.run)
    ((server, seen),) = states.items()
    note = notes[server]
    assert seen == state, note
    assert all(word in note for word in words), note
    assert scene.home == scene.all
    assert scene.nova.servers()[server].status == "ACTIVE"
    assert len(scene.asked) == 1


def test_what_failed_before_can_be_planned_and_moved_again(watari: Watari, nova: Nova, crowd: list[Server]) -> None:
    scene = Scene.of(watari, nova, [one_on(nova.places(), "cmp15")])
    ended = scene.apply()
    assert (ended.code, scene.arrived) == (0, scene.all), ended


# Hosts that die


def test_the_source_dies_during_the_copy(watari: Watari, nova: Nova, crowd: list[Server]) -> None:
    name, lab = one_on(nova.places(), "cmp15"), nova.lab
    lab.knobs("cmp15", seconds=30)
    scene = Scene.of(watari, nova, [name], budgets={"stalled_after": "20 s"})
    with ending(scene.begin()) as process:
        until("the copy", lambda: [m for m in scene.asked if m.status == "running"])
        lab.kill_host("cmp15")
        nova.down("cmp15")
        lab.revive_host("cmp15")
        nova.up("cmp15")
        ended = watari.end(process)
    assert_told(scene, ended)


def test_the_target_dies_during_the_copy(watari: Watari, nova: Nova, crowd: list[Server]) -> None:
    name, lab = one_on(nova.places(), "cmp15"), nova.lab
    lab.knobs("cmp15", seconds=30)
    scene = Scene.of(watari, nova, [name], budgets={"stalled_after": "20 s"})
    with ending(scene.begin()) as process:
        until("the copy", lambda: [m for m in scene.asked if m.status == "running"])
        lab.kill_host("cmp16")
        nova.down("cmp16")
        lab.revive_host("cmp16")
        nova.up("cmp16")
        ended = watari.end(process)
    assert_told(scene, ended)


def assert_told(scene: Scene, ended: Ended) -> None:
    """The run is over and says so; the server runs, at one of the two ends, as the run says."""
    scene.nova.at_rest()
    states, notes = scene.watari.told(scene.run)
    ((server, state),) = states.items()
    note = notes[server]
    assert ended.code == (0 if state == "done" else 3), ended
    assert scene.nova.servers()[server].status == "ACTIVE"
    assert (scene.arrived if state == "done" else scene.home) == scene.all, (state, note)
    assert state == "done" or note
    assert len(scene.asked) == 1
