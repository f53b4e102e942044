"""One controller's notifications, moved on by hand: its looks, what they write down, and what delivers it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from durable.serving.conftest import Desk, Sit
from durable.serving.metered_cloud import NAME
from unit.notify.receiver import Receiver
from watari.act.durable.leading import Place
from watari.act.durable.tables import messages
from watari.app.notify.couriers import Couriers, Pace
from watari.app.serving.notices import Notices
from watari.app.serving.notify_file import NotifyFile
from watari.app.serving.reconciler import Look

QUICK = Pace(look_s=0.05, first_s=0.01, most_s=0.02, answer_s=0.3)
Body = dict[str, Any]


@dataclass(slots=True)
class Telling:
    """One controller's notifications of a desk. The test looks and tells; delivering begins with `deliver`."""

    desk: Desk
    path: Path
    pace: Pace
    stack: ExitStack
    minutes: float = 0.0
    file: NotifyFile = field(init=False)
    couriers: Couriers = field(init=False)
    notices: Notices = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """As a process that has just started: nothing is remembered."""
        place = Place(self.desk.store, self.desk.lease, NAME)
        assert place.hold() == ""
        self.file = NotifyFile(str(self.path))
        executor = self.desk.lease.executor
        self.couriers = Couriers(self.desk.store, executor, self.file, threading.Event(), self.pace)
        self.notices = Notices(place, lambda: self.file.targets, self.couriers.wake)

    def deliver(self) -> None:
        self.couriers.look()
        self.stack.callback(self.couriers.end, 10.0)

    def look(self, minutes: float = 1.0) -> Look:
        """A look so long after the last one, and what it tells; what is found about targets is in it."""
        self.minutes += minutes
        self.file.look()
        look = self.desk.look()
        found = (*self.file.findings(NAME), *self.couriers.findings(NAME), *look.findings)
        look.findings = tuple(f for f in found if f.code != "slow-looks")  # a busy machine is no matter of the test
        look.at = (datetime.now(UTC) + timedelta(minutes=self.minutes)).isoformat()
        self.notices.tell(look)
        return look

    def waiting(self) -> list[tuple[str, Body]]:
        """Messages that have not arrived, with their targets."""
        with self.desk.store.reading() as c:
            rows = c.execute(sa.select(messages.c.target, messages.c.body).order_by(messages.c.made, messages.c.target))
            return [(row.target, json.loads(row.body)) for row in rows]

    def take(self) -> list[Body]:
        """The same, delivered by hand."""
        taken = [body for _, body in self.waiting()]
        with self.desk.store.writing() as c:
            c.execute(messages.delete())
        return taken


Tell = Callable[..., Telling]


@contextmanager
def teller(sit: Sit, folder: Path) -> Iterator[Tell]:
    """Makes them: `tell("approve", ops(receiver))` is a desk and its targets."""
    with ExitStack() as stack:

        def new(mode: str, *targets: str, pace: Pace = QUICK) -> Telling:
            write(folder, *targets)
            return Telling(sit(mode), folder / "notify.yaml", pace, stack)

        yield new


def write(folder: Path, *targets: str) -> None:
    (folder / "notify.yaml").write_text("targets:\n" + "".join(f"  - {{{target}}}\n" for target in targets))


def ops(receiver: Receiver | None = None, more: str = "", name: str = "ops") -> str:
    url = receiver.url if receiver is not None else "http://127.0.0.1:9/"
    return f"name: {name}, kind: webhook, url: '{url}'{more}"


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited for {seconds} s"
        time.sleep(0.01)


def codes(body: Body, part: str = "began") -> list[str]:
    return [matter["code"] for matter in body[part]]
