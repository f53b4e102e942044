"""Moves share what a link has for them, and no more: measured on the wire."""

import time
from pathlib import Path

from command import Watari, ending
from rigs.libvirt.guest import Guest
from rigs.libvirt.rig import CLOUD, Rig, policy, written

MBIT_S = 200
BUDGET = MBIT_S * 1e6 / 8  # bytes per second
WINDOW_S = 5.0
LEFT_OVER_MIB = 96  # of memory that a guest has written, and that nothing compresses


def sent(rig: Rig, host: str, during: object) -> list[tuple[float, int]]:
    """When, and how many bytes had left the host by then, five times a second for as long as the process runs."""
    seen = []
    while during.poll() is None:  # type: ignore[attr-defined]
        seen.append((time.monotonic(), rig.hosts.sent(host)))
        time.sleep(0.2)
    return seen


def rates(seen: list[tuple[float, int]], window_s: float) -> list[float]:
    """The bytes per second over every window of so many seconds."""
    found, first = [], 0
    for at, total in seen:
        while at - seen[first][0] > window_s:
            first += 1
        if at - seen[first][0] > 0.9 * window_s:
            found.append((total - seen[first][1]) / (at - seen[first][0]))
    return found


def test_done_when_two_moves_side_by_side_use_the_budget_of_their_link(
    rig: Rig, watari: Watari, tmp_path: Path
) -> None:
    roomy = {"cpus": 8, "link_mib_s": BUDGET / 2**20}
    written(tmp_path / "libvirt.yaml", h1=roomy, h2=roomy, h3={"zone": "az2"})
    guests = [Guest(f"db-{n}", 30 + n, memory_mib=256) for n in (1, 2)]
    rig.boot("h1", *guests)
    for guest in guests:
        rig.ask(guest, f"dirty?{LEFT_OVER_MIB}")
        time.sleep(8.0)
        rig.ask(guest, "dirty?0")
    rig.hosts.shape("h1", MBIT_S)
    half = policy(tmp_path / "half.yaml", budgets={"move": "11 MiB/s", "per_role": 4})
    plan = watari.run("plan", "drain", "h1", "--cloud", CLOUD, "--policy", half, "-o", "p.json")
    assert plan.code == 0, plan
    with ending(watari.start("apply", "p.json", "--policy", half, "--yes")) as applying:
        seen = sent(rig, "h1", applying)
        ended = watari.end(applying)
    assert ended.code == 0, ended
    assert [rig.where(guest) for guest in guests] == [["h2"], ["h2"]]
    busy = [rate / BUDGET for rate in rates(seen, WINDOW_S)]
    assert max(busy) <= 1.05
    assert max(busy) >= 0.80
    alongside = [
        share for share in busy if share > 0.6
    ]  # windows in which both copied from their beginning to their end
    assert len(alongside) >= 10, busy
    assert sum(share >= 0.8 for share in alongside) >= 0.6 * len(alongside), busy
