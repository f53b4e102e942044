"""Runs of the made-up cloud: what is done, goes on, stalls, was undone or waits, and how that goes on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from unit.web.fake_feed import FakeFeed
from watari.plan.plan import Plan
from watari.web.api import models as m

DOWN = ("done", "undone", "failed", "skipped")


def step(
    what: str, state: m.OperationState, begun: datetime | None, ended: datetime | None = None, **more: object
) -> m.Step:
    known: dict[str, object] = {
        "attempts": 0 if begun is None else 1,
        "asked_at": begun,
        "moved_at": ended or begun,
        "done_mib": 0.0,
        "total_mib": 0.0,
        "rate_mib_s": 0.0,
        "eta_s": None,
        "note": "",
    }
    return m.Step.model_validate(known | {"what": what, "state": state, "begun_at": begun, "ended_at": ended} | more)


def operation(
    run: str, n: int, name: str, way: tuple[str, str], state: m.OperationState, steps: Sequence[m.Step], **more: object
) -> m.Operation:
    known: dict[str, object] = {
        "waits": "",
        "note": "",
        "mib": 18_841.6,
        "expected_s": 55.0,
        "out_of_service": False,
        "wave": 1 + n // 6,
    }
    return m.Operation.model_validate(
        known
        | {
            "id": str(n),
            "run": run,
            "cloud": "tokyo-1",
            "subject": f"id-{n}",
            "name": name,
            "source": way[0],
            "target": way[1],
        }
        | {"state": state, "steps": list(steps)}
        | more
    )


def story(feed: FakeFeed, run: str, now: datetime) -> list[m.Operation]:
    """Sixteen operations in every state that there is."""
    out: list[m.Operation] = []
    for n in range(16):
        server = n * 37 % len(feed.names)
        zone = feed.hosts[feed.host_of[server]]["zone"]
        way = (feed.hosts[feed.host_of[server]]["name"], f"{zone}-h{1 + n * 5 % 24:02d}")
        begun = now - timedelta(seconds=640 - 46 * n)
        out.append(_one(run, n, feed.names[server], way, begun, now, f"id-{server}"))
    return out


def _one(
    run: str, n: int, name: str, way: tuple[str, str], begun: datetime, now: datetime, subject: str
) -> m.Operation:
    """The n-th operation of the story: the first are done, one was undone, some go on, the last wait."""
    move, left, back = f"live-migrate {way[0]} -> {way[1]}", f"detach {name} from haproxy", f"attach {name} to haproxy"
    mib = 18_841.6 * (1 + n % 3)

    def told(state: m.OperationState, steps: list[m.Step], **more: Any) -> m.Operation:
        return operation(run, n, name, way, state, steps, subject=subject, mib=mib, **more)

    if n >= 13:
        waits = [step(one, "pending", None) for one in (left, move, back)]
        return told("pending", waits, waits="moves in az2: 3 of 3 at once", expected_s=60.0)
    off = step(left, "done", begun, begun + timedelta(seconds=9))
    if n >= 7:
        return told("running", [off, _going(move, n, mib, begun, now), step(back, "pending", None)])
    if n == 5:
        why = "no network path on port 49152"
        return told("undone", [off, *_undone(move, back, begun, why)], note=f"3 attempts, {why}")
    return told("done", [off, *_done(move, back, n, mib, begun)])


def _going(move: str, n: int, mib: float, begun: datetime, now: datetime) -> m.Step:
    """One of them stands still."""
    stalled, share = n == 10, (0.63, 0.84, 0.41, 0.97, 0.52, 0.29)[n - 7]
    rate = 21.0 if stalled else 380.0 + 17 * (n % 5)
    return step(
        move, "running", begun + timedelta(seconds=34 if stalled else 9), attempts=2 if stalled else 1,
        asked_at=begun + timedelta(seconds=9), moved_at=now - timedelta(seconds=130 if stalled else 2),
        done_mib=share * mib, total_mib=mib, rate_mib_s=rate, eta_s=None if stalled else (1 - share) * mib / rate,
        note="memory changes faster than it is copied" if stalled else "",
    )  # fmt: skip


def _undone(move: str, back: str, begun: datetime, why: str) -> list[m.Step]:
    asked, failed, ended = (begun + timedelta(seconds=s) for s in (9, 120, 160))
    return [
        step(move, "failed", failed, ended, attempts=3, asked_at=asked, note=why),
        step(back, "undone", ended + timedelta(seconds=1), ended + timedelta(seconds=16)),
    ]


def _done(move: str, back: str, n: int, mib: float, begun: datetime) -> list[m.Step]:
    tries, asked = 2 if n == 2 else 1, begun + timedelta(seconds=9)
    arrived = asked + timedelta(seconds=96 + 17 * (n % 4))
    last = asked + timedelta(seconds=60 * (tries - 1))
    return [
        step(move, "done", last, arrived, attempts=tries, asked_at=asked, done_mib=mib, total_mib=mib),
        step(back, "done", arrived, arrived + timedelta(seconds=15)),
    ]


def of_plan(plan: Plan, run: str) -> list[m.Operation]:
    """The operations of a plan that has just begun."""
    return [
        operation(
            run,
            n,
            op.name,
            (op.source or op.name, op.target),
            "pending",
            [step(_words(one), "pending", None) for one in op.steps],
            subject=op.subject,
            wave=op.wave,
            mib=op.cost.mib,
            expected_s=op.cost.seconds,
        ).model_copy(update={"id": op.id})
        for n, op in enumerate(plan.operations)
    ]


def _words(step: object) -> str:
    words = str(step).split()
    return " ".join(word for word in words if not word.startswith("id-"))


def further(op: m.Operation, now: datetime, seconds: float, may_begin: bool) -> m.Operation:
    """The operation a while later: steps begin one after the other, copies go on, what waits begins if it may."""
    if op.state in DOWN or (op.state == "pending" and not may_begin):
        return op
    steps = list(op.steps)
    n = next((i for i, one in enumerate(steps) if one.state not in DOWN), None)
    if n is None:
        return op.model_copy(update={"state": "done", "waits": ""})
    one = steps[n]
    if one.state == "pending":
        total = op.mib if "migrate" in one.what else 0.0
        steps[n] = step(
            one.what,
            "running",
            now,
            total_mib=total,
            rate_mib_s=400.0 if total else 0.0,
            eta_s=total / 400.0 if total else None,
        )
    else:
        done = min(one.total_mib, one.done_mib + one.rate_mib_s * seconds)
        over = done >= one.total_mib
        rest = (one.total_mib - done) / one.rate_mib_s if one.rate_mib_s else 0.0
        update = {"done_mib": done, "moved_at": now, "eta_s": None if over else rest}
        steps[n] = one.model_copy(update=update | ({"state": "done", "ended_at": now} if over else {}))
    over = all(one.state in DOWN for one in steps)
    return op.model_copy(update={"steps": steps, "state": "done" if over else "running", "waits": ""})


def aborted(op: m.Operation, now: datetime) -> m.Operation:
    """The operation of a run that is cancelled."""
    if op.state in DOWN:
        return op
    if op.state == "pending":
        return op.model_copy(update={"state": "skipped", "waits": "", "note": "the run was cancelled"})
    steps = [
        one if one.state in DOWN else one.model_copy(update={"state": "undone", "ended_at": now}) for one in op.steps
    ]
    return op.model_copy(update={"state": "undone", "steps": steps, "note": "the run was cancelled"})
