"""What controllers do: for people and programs that ask from outside."""

from dataclasses import dataclass
from typing import Any

from watari.act.durable.leading import Seen, last_seen
from watari.act.durable.stops import Stop, all_stops
from watari.act.durable.store import Store
from watari.plan.text import format_duration

LATE = 3.0  # so many looks missed, and nobody seems to look


@dataclass(frozen=True, slots=True)
class Status:
    """One cloud. `trouble`: why nothing is decided, or what else a person has to know first; empty: all is well."""

    cloud: str
    controller: str
    mode: str
    looked_s: float | None  # ago
    starved: int | None
    doing: str
    trouble: str
    findings: tuple[dict[str, Any], ...]
    stop: Stop | None
    body: dict[str, Any]  # what else the last look saw, as it is kept


def statuses(store: Store) -> list[Status]:
    """Every cloud that has or had a controller."""
    stops = {stop.cloud: stop for stop in all_stops(store)}
    out = []
    for seen in last_seen(store):
        body = seen.body
        stop = stops.get(seen.cloud) or stops.get("")
        troubles = [_why_unseen(seen), body.get("trouble", "") if seen.alive else ""]
        troubles.append("" if stop is None else f"stopped: {stop}")
        trouble = "; ".join(filter(None, troubles))
        out.append(
            Status(
                seen.cloud, seen.about if seen.alive else "", body.get("mode", ""), seen.age_s, body.get("starved"),
                body.get("doing", ""), trouble, tuple(body.get("findings", ())), stop, body,
            )
        )  # fmt: skip
    return out


def _why_unseen(seen: Seen) -> str:
    ago = "" if seen.age_s is None else f" for {format_duration(seen.age_s)}"
    if not seen.alive:
        return f"nobody has looked after it{ago}: start `watari serve`"
    if seen.age_s is None:
        return "its controller has not looked at it yet"
    late = seen.age_s > LATE * max(seen.body.get("every_s", 60.0), seen.body.get("took_s", 0.0))
    return f"its controller has not looked{ago}" if late else ""
