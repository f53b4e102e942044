"""A thousand listeners, slow ones, and those that leave."""

import asyncio
from urllib.parse import urlsplit

import pytest

from durable.serving.api.conftest import Office, Open
from durable.serving.api.test_api import waiting
from durable.serving.api.tokens import TOKENS
from durable.serving.metered_cloud import NAME
from watari.errors import Transient
from watari.web.api.desk import Change
from watari.web.api.models import Me
from watari.web.api.streams import BACKLOG, LOST, Listener

LISTENERS = 1000
END = b"\r\n0\r\n\r\n"  # of a body in chunks


async def opened(
    office: Office, path: str, first: bytes = b"event: hello"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    where = urlsplit(office.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: reading\r\n\r\n".encode())
    await writer.drain()
    assert b" 200 " in await reader.readline()
    await reader.readuntil(first)
    return reader, writer


async def a_thousand(office: Office, plan: str) -> int:
    """How many of a thousand listeners hear of a decision; meanwhile others read."""
    streams = []
    for _ in range(LISTENERS // 50):  # as many at a time as a backlog of connections takes
        streams += await asyncio.gather(*(opened(office, "/v1/events") for _ in range(50)))

    def decide() -> None:
        with office.client() as client:
            assert client.get("/v1/plans").status_code == 200
            assert client.post(f"/v1/plans/{plan}/reject", json={"why": "no"}).status_code == 200

    await asyncio.to_thread(decide)
    heard = await asyncio.gather(
        *(asyncio.wait_for(reader.readuntil(b'"state":"rejected"'), 60) for reader, _ in streams)
    )
    for _, writer in streams:
        writer.close()
    return len(heard)


def test_a_thousand_listeners_all_hear_and_hold_nobody_up(office: Open) -> None:
    here = office()
    plan = waiting(here)
    assert asyncio.run(a_thousand(here, plan)) == LISTENERS


def test_those_that_leave_are_forgotten(office: Open) -> None:
    here = office()

    async def come_and_go() -> None:
        for _ in range(20):
            _, writer = await opened(here, "/v1/events")
            writer.close()
        until = asyncio.get_running_loop().time() + 20
        while here.api.streams.open and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.05)

    asyncio.run(come_and_go())
    assert here.api.streams.open == 0


def test_one_listener_too_many_is_asked_to_come_back(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watari.web.api.routes_live.MOST_LISTENERS", 0)
    here = office()
    with here.client() as client:
        answer = client.get("/v1/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_a_listener_that_is_too_slow_is_told_to_read_anew() -> None:
    slow = Listener()
    for n in range(BACKLOG + 3):
        slow.tell(b"%d" % n)
    assert list(slow.queue) == [LOST, b"%d" % (BACKLOG + 1), b"%d" % (BACKLOG + 2)]


@pytest.mark.parametrize(
    ("cloud", "run", "hears"), [(None, None, True), ("tokyo", None, True), ("kyoto", None, False), (None, "r-2", False)]
)
def test_a_listener_hears_what_it_asked_for(cloud: str | None, run: str | None, hears: bool) -> None:
    change = Change("run", Me(user="x", roles=[], may=[]), "tokyo", "r-1")
    assert Listener(cloud, run).wants(change) is hears


def test_a_database_that_is_away_for_a_moment_loses_no_change(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here = office()
    plan = waiting(here)
    look, away = type(here.api.desk).changes, [True] * 5

    def sometimes(desk: object) -> object:
        if away and here.api.streams.open:
            away.pop()
            raise Transient("the database does not answer")
        return look(desk)  # type: ignore[arg-type]

    async def listen() -> bytes:
        reader, writer = await opened(here, "/v1/events")
        await asyncio.sleep(0.2)
        monkeypatch.setattr(type(here.api.desk), "changes", sometimes)
        await asyncio.to_thread(reject)
        try:
            return await asyncio.wait_for(reader.readuntil(b'"state":"rejected"'), 20)
        finally:
            writer.close()

    def reject() -> None:
        with here.client() as client:
            client.post(f"/v1/plans/{plan}/reject", json={"why": "no"})

    assert b"event: plan" in asyncio.run(listen())
    assert not away


def test_a_stream_ends_when_its_token_is_none_any_more(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watari.web.sse.AGAIN_S", 0.1)
    here = office()
    here.look()

    async def listen() -> None:
        events, one = await opened(here, "/v1/events")
        reader, two = await opened(here, f"/v1/clouds/{NAME}/events", b"event: state")
        monkeypatch.delitem(TOKENS, "reading")
        for stream in (events, reader):
            await asyncio.wait_for(stream.readuntil(END), 20)
        one.close()
        two.close()

    asyncio.run(listen())


def test_a_picture_that_another_process_makes_by_now_ends(office: Open) -> None:
    here = office()
    here.look()

    async def listen() -> None:
        reader, writer = await opened(here, f"/v1/clouds/{NAME}/events", b"event: state")
        here.feed.hub.end_streams()
        await asyncio.wait_for(reader.readuntil(END), 20)
        writer.close()
        _, writer = await opened(here, f"/v1/clouds/{NAME}/events", b"event: state")
        writer.close()

    asyncio.run(listen())
