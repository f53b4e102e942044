"""Between plan and apply the world goes on: a plan that no longer fits is not carried out."""

from typing import Any

from command import Watari, ending, until
from lab.nova import TINY, Nova
from lab.parts import FAULTS
from lab.scene import Scene
from watari.model.compute import Server


def test_a_server_that_was_deleted_makes_the_plan_stale(watari: Watari, nova: Nova, crowd: list[Server]) -> None:
    scene = Scene.of(watari, nova, [FAULTS.short_lived[0], FAULTS.crowd[0]])
    nova.delete(FAULTS.short_lived[0])
    ended = scene.apply()
    assert ended.code == 12, ended
    assert f"{FAULTS.short_lived[0]} does not exist any more" in ended.err
    assert "plan again" in ended.err
    assert scene.asked == []


def test_a_server_that_was_resized_makes_the_plan_stale(watari: Watari, nova: Nova, crowd: list[Server]) -> None:
    scene = Scene.of(watari, nova, [FAULTS.short_lived[1], FAULTS.crowd[0]])
    flavor: Any = nova.compute.find_flavor("less-tiny") or nova.compute.create_flavor(
        name="less-tiny", **TINY | {"ram": 256, "vcpus": 2}
    )
    id = nova.server(FAULTS.short_lived[1]).id
    nova.compute.resize_server(id, flavor)
    until("the resize", lambda: status(nova, FAULTS.short_lived[1]) == "VERIFY_RESIZE")
    nova.compute.confirm_server_resize(id)
    until("its confirmation", lambda: status(nova, FAULTS.short_lived[1]) == "ACTIVE")
    mark = nova.mark()
    ended = scene.apply()
    assert ended.code == 12, ended
    assert f"{FAULTS.short_lived[1]} was resized from 1 to 2 vCPUs" in ended.err
    assert nova.since(mark) == []
    nova.delete(FAULTS.short_lived[1])


def status(nova: Nova, name: str) -> str:
    found = nova.anywhere(name)
    return found.status if found else "gone"


def test_a_server_that_moved_meanwhile_is_skipped_and_the_others_move(
    watari: Watari, nova: Nova, crowd: list[Server]
) -> None:
    scene = Scene.of(watari, nova, FAULTS.crowd[:2])
    other = next(host for host in ("cmp19", "cmp20") if host not in (crowd[0].host, scene.plan.operations[0].target))
    nova.move(FAULTS.crowd[0], other)
    ended = scene.apply()
    assert ended.code == 3, ended
    states, notes = watari.told(scene.run)
    assert (states[FAULTS.crowd[0]], states[FAULTS.crowd[1]]) == ("skipped", "done")
    assert f"is on {other}" in notes[FAULTS.crowd[0]]
    nova.move(FAULTS.crowd[0], scene.plan.operations[0].source)


def test_a_second_apply_of_the_same_plan_is_turned_away_while_the_first_works(
    watari: Watari, nova: Nova, crowd: list[Server]
) -> None:
    scene = Scene.of(watari, nova, FAULTS.crowd[:2])
    for host in {op.source for op in scene.plan.operations}:
        nova.lab.knobs(host, seconds=6)
    with ending(scene.begin()) as first:
        until("the first to work", lambda: scene.asked)
        second = scene.apply()
        assert second.code == 11, second
        assert f"pid {first.pid}" in second.err
        ended = watari.end(first)
    assert (ended.code, ended.result["done"]) == (0, 2), ended
    assert (len(scene.asked), scene.once) == (2, True)
