"""Live moves of real QEMU guests, by the command alone: nobody notices."""

from contextlib import ExitStack
from pathlib import Path

from command import Ended, Watari
from rigs.libvirt.guest import Guest
from rigs.libvirt.prober import Prober
from rigs.libvirt.rig import CLOUD, Rig, datacenter, policy, written

LONGEST_GAP_S = 3.0
AFTER_THE_SWITCH_S = 6.0  # a guest that runs before all of its memory has arrived waits for what it touches
ROOMY = {"cpus": 8}  # nobody is measured here: each counts as asking for all that it has


def drained(watari: Watari, host: str, *options: str) -> Ended:
    """Plan and apply a drain; the result of the apply."""
    planned = watari.run("plan", "drain", host, "--cloud", CLOUD, "-o", "p.json", *options)
    assert planned.code == 0, planned
    same = options[options.index("--policy") :] if "--policy" in options else ()
    ended = watari.run("apply", "p.json", "--yes", *same)
    return Ended(ended.code, ended.out, planned.out + planned.err + ended.err)


def test_done_when_twenty_moves_of_twenty_succeed_and_nobody_notices(rig: Rig, watari: Watari, tmp_path: Path) -> None:
    written(tmp_path / "libvirt.yaml", h1=ROOMY, h2=ROOMY, h3={"zone": "az2"})
    guests = [Guest(f"web-{n}", 20 + n) for n in range(1, 5)]
    rig.boot("h1", *guests)
    boots = {guest.name: rig.boot_id(guest) for guest in guests}
    with ExitStack() as stack:
        probers = [stack.enter_context(Prober(guest.address)) for guest in guests]
        moved = 0
        for host, to in [("h1", "h2"), ("h2", "h1")] * 2 + [("h1", "h2")]:
            ended = drained(watari, host, "--then", "enable")
            assert ended.code == 0, ended
            assert {tuple(rig.where(guest)) for guest in guests} == {(to,)}, f"{ended.err}"
            moved += sum(row.get("state") == "done" for row in ended.lines if row["event"] == "operation")
        assert moved >= 20, "every move of every drain is done"
        assert [prober.broken for prober in probers] == [""] * 4
        assert all(prober.alive() for prober in probers)
    assert {guest.name: rig.boot_id(guest) for guest in guests} == boots
    assert max(prober.longest_gap_s for prober in probers) < LONGEST_GAP_S


def test_every_move_goes_by_the_way_out_and_back(rig: Rig, watari: Watari, tmp_path: Path) -> None:
    guests = [Guest("web-1", 21), Guest("web-2", 22)]
    rig.boot("h1", *guests)
    with datacenter(guests) as (services, section):
        written(tmp_path / "libvirt.yaml", [section], h1=ROOMY, h2=ROOMY, h3={"zone": "az2"})
        ended = drained(watari, "h1")
        assert ended.code == 0, ended
        assert services.served is not None
        for guest in guests:
            asked = [
                r.param("enable") for r in services.served.seen if r.path == f"/agent/{guest.name}/v1/agent/maintenance"
            ]
            assert asked == ["true", "false"], "out once, back once"
            assert services.nodes[guest.name].maintenance is None
            assert rig.where(guest) == ["h2"]


def test_what_a_guest_writes_faster_than_it_is_copied_follows_after_the_switch(
    rig: Rig, watari: Watari, tmp_path: Path
) -> None:
    written(tmp_path / "libvirt.yaml", h1=ROOMY, h2=ROOMY, h3={"zone": "az2"})
    rules = policy(
        tmp_path / "rules.yaml", budgets={"move": "8 MiB/s"}, copying={"auto_converge": False, "post_copy_after": "6 s"}
    )
    guest = Guest("db-1", 25, memory_mib=128, dirty_mib=32)
    rig.boot("h1", guest)
    boot = rig.boot_id(guest)
    with Prober(guest.address) as prober:
        ended = drained(watari, "h1", "--policy", str(rules))
        assert ended.code == 0, ended
        assert prober.alive()
    assert rig.where(guest) == ["h2"]
    assert rig.boot_id(guest) == boot
    assert prober.longest_gap_s < AFTER_THE_SWITCH_S
