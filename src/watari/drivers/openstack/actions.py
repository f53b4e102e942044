"""Nova's log of what was asked of a server: it knows a move before its migration record exists, and why it failed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from watari.drivers.openstack.calls import Calls, Json, Version
from watari.drivers.openstack.errors import clean
from watari.drivers.openstack.times import moment, second_of
from watari.errors import Refused
from watari.model.compute import ServerId
from watari.ports import MigrationKind

LIST = Version("2.58", "2.21", "reading what was asked of a server")  # 2.58: changes-since and pages
SHOW = Version("2.84", "2.51", "reading what became of a request")  # 2.84: why an event failed, in words
NAMES: dict[MigrationKind, str] = {"live": "live-migration", "cold": "migrate", "evacuation": "evacuate"}
CONDUCTOR = "conductor_"


@dataclass(frozen=True, slots=True)
class Event:
    """A part of the work on a request; `ended` is None while it goes on."""

    name: str
    began: datetime
    ended: datetime | None
    failed: bool
    details: str


@dataclass(frozen=True, slots=True)
class Action:
    """One request. `began`: when Nova's API took it, on its clock, in whole seconds."""

    request: str
    name: str
    began: datetime
    failed: bool
    events: tuple[Event, ...] = ()

    @property
    def conducted(self) -> Event | None:
        """The conductor's part: migration records are made within it."""
        return next((e for e in self.events if e.name.startswith(CONDUCTOR)), None)

    @property
    def why(self) -> str:
        """What went wrong, as far as Nova tells: the innermost event that failed and says something."""
        failed = [e for e in self.events if e.failed]
        innermost = sorted(failed, key=lambda e: e.began, reverse=True)
        return next((e.details for e in innermost if e.details), "")


def actions(calls: Calls, server: ServerId, kind: MigrationKind, since: datetime) -> Iterator[Action]:
    """Requests for that kind of move made at or after `since`, newest first, without events.

    Whole seconds are compared, for Nova keeps no more. Raises Refused for a server that the cloud never knew.
    """
    earliest = second_of(since)
    params = {"changes-since": earliest.strftime("%Y-%m-%dT%H:%M:%SZ")}
    what = f"list what was asked of server {server}"
    path = f"/servers/{server}/os-instance-actions"
    for rows in calls.pages(path, "instanceActions", LIST, what, params):
        for row in rows:
            action = _action(row)
            if action.name == NAMES[kind] and action.began >= earliest:
                yield action


def action(calls: Calls, server: ServerId, request: str) -> Action | None:
    """One request with its events; None if the cloud does not know it."""
    what = f"show request {request} of server {server}"
    try:
        row = calls.get(f"/servers/{server}/os-instance-actions/{request}", SHOW, what)["instanceAction"]
    except Refused:
        return None
    return _action(row)


def _action(row: Json) -> Action:
    failed = "error" in (row.get("message") or "").lower()
    events = tuple(_event(e) for e in sorted(row.get("events") or (), key=lambda e: str(e["start_time"])))
    return Action(row["request_id"], row["action"], moment(row["start_time"]), failed, events)


def _event(row: Json) -> Event:
    traceback = (row.get("traceback") or "").strip().splitlines()  # admins see it; older Novas have nothing else
    details = row.get("details") or (traceback[-1] if traceback else "")
    ended = row.get("finish_time")
    failed = (row.get("result") or "").lower() == "error"
    return Event(row["event"], moment(row["start_time"]), moment(ended) if ended else None, failed, clean(details))
