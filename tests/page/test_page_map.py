"""The map on the page: what it shows, how it is found, and what a big cloud costs."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from page.browser import Open
from page.fake_desk import FakeDesk
from page.served import Page
from unit.web.fake_feed import FakeFeed

HERE = Path(__file__).parent


def test_it_opens_with_zones_starved_servers_and_numbers(tab: Tab, desk: FakeDesk) -> None:
    starved = desk.feed.state()["starved"]
    expect(tab.locator("#size")).to_have_text("80 hosts · 1,000 servers")
    expect(tab.locator("#strip")).to_contain_text("Starved servers now")
    expect(tab.locator("#inspector .starved li").first).to_contain_text(desk.feed.names[starved[0]["server"]])
    expect(tab.locator("#inspector section").first.locator("li")).to_have_count(len(starved))
    expect(tab.locator("#under-way .flights li")).to_have_count(6)
    expect(tab.locator("#canvas")).to_have_attribute("aria-label", re.compile("Map of 80.hosts and 1,000.servers"))


def test_what_moves_is_followed_live(tab: Tab, desk: FakeDesk) -> None:
    share = tab.locator("#under-way .flights li .meter i").first
    before = share.get_attribute("style")
    desk.advance(5)
    expect(share).not_to_have_attribute("style", before or "")


def test_a_server_is_found_by_name_and_has_an_address(tab: Tab, desk: FakeDesk) -> None:
    name = desk.feed.names[137]
    expect(tab.locator("#size")).to_contain_text("hosts")
    tab.keyboard.press("/")
    tab.keyboard.type(name)
    tab.keyboard.press("Enter")
    expect(tab.locator("#inspector header .name")).to_have_text(name)
    assert tab.url.endswith("#/map/id-137")
    tab.keyboard.press("Escape")
    expect(tab.locator("#inspector .starved").first).to_be_visible()
    assert tab.url.endswith("#/map")


def test_an_address_of_before_still_opens_its_server(open_page: Open, served: Page, desk: FakeDesk) -> None:
    tab = open_page(f"{served.url}#/map/id-5")
    expect(tab.locator("#inspector header .name")).to_have_text(desk.feed.names[5])


def test_arrows_go_from_host_to_host_and_say_where(tab: Tab) -> None:
    expect(tab.locator("#size")).to_contain_text("hosts")
    tab.locator("#canvas").focus()
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#say")).to_contain_text("az1-h01")
    tab.keyboard.press("ArrowDown")
    expect(tab.locator("#say")).not_to_contain_text("az1-h01")
    tab.keyboard.press("Enter")
    expect(tab.locator("#inspector header .name")).to_be_visible()


def test_ten_thousand_hosts_are_bounded_work(open_page: Open, record_property: Callable[[str, object], None]) -> None:
    desk = FakeDesk(FakeFeed(10_000), busy=False)
    with Page(desk) as page:
        tab = open_page("about:blank")
        tab.add_init_script(path=HERE / "counted.js")
        tab.goto(page.url)
        expect(tab.locator("#size")).to_have_text("10,000 hosts · 125,000 servers", timeout=60_000)
        found = tab.evaluate((HERE / "panning.js").read_text())
    record_property("10,000 hosts and 125,000 servers, zooming and panning, per frame", found)
    assert 10_000 <= found["most_calls"] < 30_000  # the whole cloud is a cell per host; nearer only what is in view
    assert found["elements"] < 3000
