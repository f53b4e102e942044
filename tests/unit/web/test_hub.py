"""The hub: a late page gets everything, a slow one never holds up the publisher."""

import asyncio
import json
import math
from typing import Any, cast

import pytest

from unit.web.fake_feed import FakeFeed
from watari.errors import WatariError
from watari.web.contract import PageTick
from watari.web.hub import BACKLOG, HEARTBEAT, Hub, Subscription


@pytest.fixture
def feed() -> FakeFeed:
    return FakeFeed(hosts=16)


@pytest.fixture
def hub(feed: FakeFeed) -> Hub:
    hub = Hub(feed.details)
    hub.publish_state(feed.state())
    return hub


def read(event: bytes | None) -> tuple[str, dict[str, Any]]:
    assert event is not None
    fields = dict(line.split(": ", 1) for line in event.decode().strip().split("\n"))
    return fields["event"], json.loads(fields["data"])


async def take(subscription: Subscription) -> tuple[str, dict[str, Any]]:
    return read(await subscription.next(1.0))


def known(hub: Hub) -> dict[str, Any]:
    body = hub.state_json()
    assert body is not None
    return cast(dict[str, Any], json.loads(body))


def test_a_page_gets_the_state_then_ticks(hub: Hub, feed: FakeFeed) -> None:
    async def page() -> None:
        with hub.subscribe() as subscription:
            assert (await take(subscription))[0] == "state"
            hub.publish_tick(feed.tick(0.25))
            name, tick = await take(subscription)
            assert name == "tick"
            assert "load" in tick

    asyncio.run(page())


def test_a_late_page_gets_a_state_that_holds_every_tick(hub: Hub, feed: FakeFeed) -> None:
    async def page() -> dict[str, Any]:
        for _ in range(40):
            hub.publish_tick(feed.tick(10.0))
        with hub.subscribe() as subscription:
            name, state = await take(subscription)
            assert name == "state"
            return state

    state = asyncio.run(page())
    assert state == json.loads(json.dumps(feed.state()))
    assert state["servers"]["host"] == feed.host_of
    assert state == known(hub)


def test_a_tick_says_only_what_changed(hub: Hub, feed: FakeFeed) -> None:
    async def page() -> dict[str, Any]:
        with hub.subscribe() as subscription:
            await take(subscription)
            before = feed.state()
            hub.publish_tick(
                {"strip": before["strip"], "now": "2022-06-14T14:40:00+09:00", "placed": [(0, feed.host_of[0])]}
            )
            return (await take(subscription))[1]

    assert asyncio.run(page()) == {"now": "2022-06-14T14:40:00+09:00"}


def test_a_tick_without_change_is_not_sent(hub: Hub) -> None:
    async def page() -> bytes | None:
        with hub.subscribe() as subscription:
            await take(subscription)
            hub.publish_tick({"ended": None})
            return await subscription.next(0.01)

    assert asyncio.run(page()) == HEARTBEAT


def test_the_chart_tail_replaces_the_last_slots(hub: Hub, feed: FakeFeed) -> None:
    slots = len(feed.state()["chart"]["measured"])
    column = [7.0, 8.0]
    hub.publish_tick(
        {
            "chart": {
                "at": slots - 1, "measured": column, "shadow": column, "starved": [1, 2],
                "done": [1, 0], "undone": [0, 0], "failed": [0, 1],
            }
        }
    )  # fmt: skip
    chart = known(hub)["chart"]
    assert len(chart["measured"]) == slots + 1
    assert chart["measured"][-2:] == column
    assert chart["failed"][-2:] == [0, 1]
    assert len(chart["forecast"]) == 288


def test_a_page_that_lags_gets_a_fresh_state(hub: Hub, feed: FakeFeed) -> None:
    async def page() -> tuple[str, dict[str, Any]]:
        with hub.subscribe() as subscription:
            await take(subscription)
            for _ in range(5 * BACKLOG):
                hub.publish_tick(feed.tick(0.25))
            return await take(subscription)

    name, state = asyncio.run(page())
    assert name == "state"
    assert state["load"]["steal"] == feed.steal


def test_a_new_state_replaces_waiting_ticks(hub: Hub, feed: FakeFeed) -> None:
    async def page() -> list[str]:
        with hub.subscribe() as subscription:
            await take(subscription)
            hub.publish_tick(feed.tick(0.25))
            hub.publish_state(feed.state())
            hub.publish_tick(feed.tick(0.25))
            names = [(await take(subscription))[0]]
            assert await subscription.next(0.01) == HEARTBEAT  # the state already holds the last tick
            return names

    assert asyncio.run(page()) == ["state"]


def test_a_page_before_the_first_state_waits_for_it(feed: FakeFeed) -> None:
    hub = Hub()

    async def page() -> str:
        with hub.subscribe() as subscription:
            assert await subscription.next(0.01) == HEARTBEAT
            hub.publish_state(feed.state())
            return (await take(subscription))[0]

    assert asyncio.run(page()) == "state"


def test_a_closed_hub_delivers_what_was_said_and_ends(hub: Hub, feed: FakeFeed) -> None:
    async def page() -> bytes | None:
        with hub.subscribe() as subscription:
            await take(subscription)
            hub.publish_tick(feed.tick(0.25))
            hub.close()
            assert (await take(subscription))[0] == "tick"
            assert await subscription.next(1.0) is None
        with hub.subscribe() as late:
            assert (await take(late))[0] == "state"
            return await late.next(1.0)

    assert asyncio.run(page()) is None
    assert hub.pages == 0


def test_a_page_whose_loop_is_gone_is_forgotten(hub: Hub, feed: FakeFeed) -> None:
    async def page() -> None:
        subscription = hub.subscribe()
        await take(subscription)

    asyncio.run(page())
    assert hub.pages == 1
    hub.publish_tick(feed.tick(0.25))
    assert hub.pages == 0


def test_a_tick_before_the_state_is_an_error() -> None:
    with pytest.raises(WatariError, match="publish_state comes first"):
        Hub().publish_tick({"now": "2022-06-14T00:00:00+09:00"})


def test_nan_never_reaches_a_page(hub: Hub, feed: FakeFeed) -> None:
    strip = feed.state()["strip"]
    strip["steal_s_today"] = math.nan
    before = hub.state_json()
    with pytest.raises(ValueError, match="JSON compliant"):
        hub.publish_tick({"strip": strip})
    assert hub.state_json() == before


def test_a_thousand_servers_at_four_ticks_a_second_stay_under_40_kb() -> None:
    feed = FakeFeed(hosts=80)
    hub = Hub()
    hub.publish_state(feed.state())
    sent: list[int] = []

    async def page() -> None:
        with hub.subscribe() as subscription:
            await take(subscription)
            for _ in range(20):
                hub.publish_tick(feed.tick(0.25))
                event = await subscription.next(1.0)
                assert event is not None
                sent.append(len(event))

    asyncio.run(page())
    assert 4 * sum(sent) / len(sent) < 40_000


def test_what_was_published_is_not_changed_by_later_ticks(feed: FakeFeed) -> None:
    state = feed.state()
    copy = json.loads(json.dumps(state))
    hub = Hub()
    hub.publish_state(state)
    tick: PageTick = {"placed": [(0, (feed.host_of[0] + 1) % 16)]}
    hub.publish_tick(tick)
    assert json.loads(json.dumps(state)) == copy
