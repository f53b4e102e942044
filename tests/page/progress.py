"""Runs of the made-up cloud: what is done, goes on, stalls, was undone or waits, and how that goes on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

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
    def at(seconds: float) -> datetime:
        return begun + timedelta(seconds=seconds)

    move, left, back = f"live-migrate {way[0]} -> {way[1]}", f"detach {name} from haproxy", f"attach {name} to haproxy"
    off, long = step(left, "done", at(0), at(9)), 96 + 17 * (n % 4)
    mib = 18_841.6 * (1 + n % 3)
    if n >= 13:
        waits = [step(one, "pending", None) for one in (left, move, back)]
        return operation(
            run,
            n,
            name,
            way,
            "pending",
            waits,
            subject=subject,
            waits="moves in az2: 3 of 3 at once",
            mib=mib,
            expected_s=60.0,
        )
    if n >= 7:
        stalled, share = n == 10, (0.63, 0.84, 0.41, 0.97, 0.52, 0.29)[n - 7]
        rate = 21.0 if stalled else 380.0 + 17 * (n % 5)
        going = step(
            move,
            "running",
            at(34 if stalled else 9),
            attempts=2 if stalled else 1,
            asked_at=at(9),
            moved_at=now - timedelta(seconds=130 if stalled else 2),
            done_mib=share * mib,
            total_mib=mib,
            rate_mib_s=rate,
            eta_s=None if stalled else (1 - share) * mib / rate,
            note="memory changes faster than it is copied" if stalled else "",
        )
        return operation(
            run, n, name, way, "running", [off, going, step(back, "pending", None)], subject=subject, mib=mib
        )
    if n == 5:
        failed = step(
            move, "failed", at(120), at(160), attempts=3, asked_at=at(9), note="no network path on port 49152"
        )
        return operation(
            run,
            n,
            name,
            way,
            "undone",
            [off, failed, step(back, "undone", at(161), at(176))],
            subject=subject,
            note="3 attempts, no network path on port 49152",
            mib=mib,
        )
    tries = 2 if n == 2 else 1
    moved = step(
        move,
        "done",
        at(9 + 60 * (tries - 1)),
        at(9 + long),
        attempts=tries,
        asked_at=at(9),
        done_mib=mib,
        total_mib=mib,
    )
    return operation(
        run,
        n,
        name,
        way,
        "done",
        [off, moved, step(back, "done", at(9 + long), at(24 + long))],
        subject=subject,
        mib=mib,
    )


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
