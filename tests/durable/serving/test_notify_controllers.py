"""Notifications of real controller processes: killed at the worst moment, and taken over."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from durable.filed_cloud import make
from durable.postgres import Postgres
from durable.rig import copied
from durable.serving.controller_process import Controller, Serving
from durable.serving.metered_cloud import NAME, POLICY, MeteredCloud
from durable.serving.telling import codes, ops, until, write
from unit.notify.receiver import Answer, Receiver, receiving
from watari.act.durable.store import Store
from watari.act.durable.tables import messages

SIX_ON_ONE = {f"s{i}": "h1" for i in range(6)}


class Site:
    """A cloud whose servers starve, a receiver, and controllers that tell it."""

    def __init__(self, folder: Path, url: str, receiver: Receiver) -> None:
        self.folder, self.url, self.controllers = folder, url, list[Controller]()
        make(folder / "cloud.db", SIX_ON_ONE, ["h1", "h2"])
        self.cloud, self.store = MeteredCloud(folder / "cloud.db"), Store(url)
        (folder / "policy.yaml").write_text(POLICY.replace("MODE", "approve").replace("0.3 s", "10 s"))
        write(folder, ops(receiver))

    def serve(self) -> Controller:
        out = self.folder / f"controller-{len(self.controllers)}.out"
        policy, notify = str(self.folder / "policy.yaml"), str(self.folder / "notify.yaml")
        orders = Serving(self.url, str(self.cloud.path), policy, str(out), notify=notify)
        self.controllers.append(Controller(orders))
        return self.controllers[-1]

    def waiting(self) -> int:
        with self.store.reading() as c:
            return int(c.scalar(sa.select(sa.func.count()).select_from(messages)) or 0)

    def close(self) -> None:
        for one in self.controllers:
            one.kill()
        self.store.close()


Build = Callable[[str], Site]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def build(tmp_path: Path, receiver: Receiver) -> Iterator[Build]:
    with ExitStack() as stack:

        def new(url: str) -> Site:
            site = Site(tmp_path, url, receiver)
            stack.callback(site.close)
            return site

        yield new


def test_killed_between_sending_and_noting_that_it_sends_again_with_the_same_id(
    build: Build, template: Path, tmp_path: Path, receiver: Receiver
) -> None:
    site = build(copied(template, tmp_path))
    receiver.answers = [Answer(hangs=True)]
    first = site.serve()
    receiver.until(1)
    first.kill()
    second = site.serve()
    one, again = receiver.until(2)
    assert (again.body, again.headers["Watari-Id"]) == (one.body, one.body["id"])
    assert [plan["job"] for plan in one.body["plans"]] == ["balance"]
    until(lambda: site.waiting() == 0)
    assert second.end() == 0, second.out()
    assert len(receiver.got) == 2, "the second one tells nothing that the first has told"


def test_told_to_end_it_does_not_wait_for_a_target_that_is_down(
    build: Build, template: Path, tmp_path: Path, receiver: Receiver
) -> None:
    site = build(copied(template, tmp_path))
    receiver.answers = [Answer(429, headers={"Retry-After": "3600"})] * 1000
    one = site.serve()
    receiver.until(1)
    assert one.end() == 0, one.out()
    assert site.waiting() == 1
    receiver.answers = []
    site.serve()
    assert receiver.until(2)[1].body == receiver.got[0].body


def test_of_two_on_postgresql_one_tells_and_the_other_goes_on_where_it_was(
    build: Build, server: Postgres, receiver: Receiver
) -> None:
    site = build(server.new_database())
    first = site.serve()
    until(lambda: "looking after it" in first.out(), 60)
    receiver.until(1)
    second = site.serve()
    until(lambda: "standing by:" in second.out(), 60)
    until(lambda: site.waiting() == 0)
    first.kill()
    site.cloud.set(meter="away")
    until(lambda: "looking after it" in second.out(), 60)
    told = receiver.until(2, 60)
    assert [codes(request.body) for request in told] == [[], ["undecided"]]
    assert (told[1].body["cloud"], told[1].body["first"], told[1].body["plans"]) == (NAME, False, [])
    until(lambda: site.waiting() == 0)
    assert second.end() == 0, second.out()
