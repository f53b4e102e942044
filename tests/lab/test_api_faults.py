"""Nova and Keystone that fail for a while: runs wait and end well, and ask for nothing twice.

All scenes play at the same time, each with servers, a proxy and a state directory of its own: most of it is waiting.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from command import Ended, Watari, until
from lab import clouds, proxy
from lab.nova import Nova
from lab.parts import FAULTS
from lab.scene import Scene
from watari.lab.lab import Lab
from watari.model.compute import Server

BUSY_S = 60.0

Played = tuple[Scene, Ended, proxy.Proxy]


def play(lab: Lab, nova: Nova, home: Path, names: Sequence[str], act: Callable[[Scene, proxy.Proxy], Ended]) -> Played:
    """Let `act` carry out a plan for some servers on a cloud whose Nova is behind a proxy."""
    watari = Watari(clouds.written(lab.paths.clouds_yaml, home / "clouds.yaml"), home)
    with proxy.before(lab.spec.url("nova-api", "/v2.1")) as nova_proxy:
        known = clouds.read(watari.clouds_yaml)["lab"] | {"compute_endpoint_override": nova_proxy.url}
        clouds.added(watari.clouds_yaml, "proxied", known)
        scene = Scene.of(watari, nova, names, "proxied", at_once=6)  # the other scenes' moves hold places, too
        return scene, act(scene, nova_proxy), nova_proxy


def busy_for_a_minute(scene: Scene, nova_proxy: proxy.Proxy) -> Ended:
    process = scene.begin()
    until("the first request", lambda: nova_proxy.count("POST", "/action"))
    nova_proxy.busy(503)
    time.sleep(BUSY_S)
    nova_proxy.kind()
    return scene.watari.end(process)


def too_many_requests(scene: Scene, nova_proxy: proxy.Proxy) -> Ended:
    process = scene.begin()
    until("the first request", lambda: nova_proxy.count("POST", "/action"))
    nova_proxy.busy(429)
    time.sleep(8.0)
    nova_proxy.kind()
    return scene.watari.end(process)


def answer_lost(scene: Scene, nova_proxy: proxy.Proxy) -> Ended:
    nova_proxy.lose_first("POST", "/action")
    return scene.apply()


def slow(scene: Scene, nova_proxy: proxy.Proxy) -> Ended:
    nova_proxy.judge = lambda method, path: 1.5
    return scene.apply()


def token_expired(scene: Scene, nova_proxy: proxy.Proxy) -> Ended:
    process = scene.begin()
    until("the first request", lambda: nova_proxy.count("POST", "/action"))
    nova_proxy.expire()
    return scene.watari.end(process)


ACTS: dict[str, Callable[[Scene, proxy.Proxy], Ended]] = {
    "busy": busy_for_a_minute, "limited": too_many_requests, "lost": answer_lost, "slow": slow,
    "expired": token_expired,
}  # fmt: skip


@pytest.fixture(scope="module")
def scenes(
    lab: Lab, nova: Nova, crowd: list[Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Played]]]:
    with ThreadPoolExecutor(len(ACTS)) as pool:
        futures: dict[str, Future[Played]] = {}
        for n, (name, act) in enumerate(ACTS.items()):
            home = tmp_path_factory.mktemp(name)
            futures[name] = pool.submit(play, lab, nova, home, FAULTS.crowd[3 * n : 3 * n + 3], act)
        yield futures
    for future in futures.values():
        shutil.rmtree(future.result()[0].watari.home / "state", ignore_errors=True)


@pytest.mark.parametrize("name", ACTS)
def test_a_run_outlasts_a_fault_of_the_api_and_asks_once(scenes: dict[str, Future[Played]], name: str) -> None:
    scene, ended, _ = scenes[name].result()
    assert (ended.code, ended.result["done"]) == (0, 3), ended
    assert scene.arrived == scene.all
    assert (len(scene.asked), scene.once) == (3, True), scene.asked


def test_when_its_token_has_expired_the_run_takes_a_new_one(scenes: dict[str, Future[Played]]) -> None:
    _, _, nova_proxy = scenes["expired"].result()
    assert 401 in [fate for _, _, fate in nova_proxy.seen]
    assert nova_proxy.tokens > nova_proxy.expired, "newer ones were used"


def test_while_nova_was_busy_the_run_asked_less_and_less_often(scenes: dict[str, Future[Played]]) -> None:
    _, _, nova_proxy = scenes["busy"].result()
    refused = [row for row in nova_proxy.seen if row[2] == 503]
    assert refused
    assert len(refused) < BUSY_S, "no more than one request a second to a service that has no breath"


def test_the_lost_answer_was_lost_and_the_move_found_again(scenes: dict[str, Future[Played]]) -> None:
    scene, _, nova_proxy = scenes["lost"].result()
    assert [fate for method, path, fate in nova_proxy.seen if fate == "lost"] == ["lost"]
    assert nova_proxy.count("POST", "/action") == 3
    notes = [row["Text"] for row in scene.watari.journal(scene.run)]
    assert any("cannot be reached" in note for note in notes), "the journal tells of it"
