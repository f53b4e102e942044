"""What all views share: the stop switch, the connection, tokens, several clouds, strange names, narrow windows."""

import re

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from page.browser import Open
from page.fake_desk import FakeDesk
from page.served import Page, Stranger
from watari.web.api.callers import LocalToken

VIEWS = ("map", "plans", "plan/p-3f9a0418", "plan/p-dd5e0419", "runs", "run/r-0772c0de", "checks")
STRANGE = ["<script>alert(1)</script>", "‏مرحبا‮gnp.exe", "🐦" * 12, "a" * 300, "<img src=x onerror=alert(1)>"]


def test_the_stop_switch_takes_a_reason_and_is_seen_everywhere(tab: Tab, desk: FakeDesk) -> None:
    tab.get_by_role("button", name="Stop switch").click()
    pull = tab.get_by_role("button", name="Stop everything new")
    expect(pull).to_be_disabled()
    tab.get_by_label("Reason (others will read it)").fill("the storage network flaps")
    pull.click()
    expect(tab.locator("#status .stopped")).to_contain_text("Stopped for tokyo-1 by you")
    expect(tab.locator("#status .stopped")).to_contain_text("the storage network flaps")
    tab.goto(tab.url.split("#")[0] + "#/checks")
    expect(tab.locator("#status .stopped")).to_be_visible()
    tab.get_by_role("button", name="Lift the stop").click()
    tab.get_by_role("dialog").get_by_role("button", name="Lift the stop").click()
    expect(tab.get_by_role("button", name="Stop switch")).to_be_visible()
    assert desk.stops() == []


def test_trouble_is_told_with_its_reason(tab: Tab, desk: FakeDesk) -> None:
    expect(tab.get_by_role("button", name="Stop switch")).to_be_visible()
    desk.fail("Prometheus does not answer: connection refused")
    expect(tab.locator("#status .trouble")).to_have_text("Prometheus does not answer: connection refused.")


def test_a_lost_connection_is_told_and_comes_back(served: Page, open_page: Open, desk: FakeDesk) -> None:
    tab = open_page(f"{served.url}#/plan/p-dd5e0419")
    tab.locator("#word").fill("az2-h04")
    approve = tab.get_by_role("button", name=re.compile("^Approve"))
    expect(approve).to_be_enabled()
    served.stop()
    expect(tab.locator("#lost")).to_contain_text(re.compile(r"Connection lost .* ago, last data of \d\d:\d\d:\d\d.JST"))
    expect(tab.locator("#live-text")).to_contain_text("Offline")
    expect(approve).to_be_disabled()
    expect(tab.get_by_role("button", name="Stop switch")).to_be_disabled()
    desk.fail("az1 does not answer")
    served.start()
    tab.get_by_role("button", name="Try now").click()
    expect(tab.locator("#lost")).to_be_hidden()
    expect(tab.locator("#status .trouble")).to_have_text("az1 does not answer.")
    expect(approve).to_be_enabled()


def test_without_a_token_one_is_asked_for(desk: FakeDesk, open_page: Open) -> None:
    with Page(desk, LocalToken("s3cret-of-the-test")) as page:
        tab = open_page(page.url)
        dialog = tab.get_by_role("dialog")
        expect(dialog).to_contain_text("Who asks?")
        tab.get_by_label("Token", exact=True).fill("wrong")
        tab.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text("not the token of this controller")
        tab.get_by_label("Token", exact=True).fill("s3cret-of-the-test")
        tab.keyboard.press("Enter")
        expect(tab.locator("#size")).to_have_text("80 hosts · 1,000 servers")
        expect(dialog).to_have_count(0)
        tab.reload()
        expect(tab.locator("#size")).to_have_text("80 hosts · 1,000 servers")


def test_a_token_in_the_address_is_taken_and_removed_from_it(desk: FakeDesk, open_page: Open) -> None:
    with Page(desk, LocalToken("s3cret-of-the-test")) as page:
        tab = open_page(f"{page.url}#token=s3cret-of-the-test")
        expect(tab.locator("#size")).to_have_text("80 hosts · 1,000 servers")
        assert tab.url == f"{page.url}#/map"
        assert "s3cret" not in tab.content()
        assert tab.evaluate("localStorage.length") == 0
        tab.goto(f"{page.url}#/plans")
        tab.go_back()
        assert "s3cret" not in tab.url


def test_several_clouds_are_chosen_from_and_named_in_the_address(open_page: Open) -> None:
    with Page(FakeDesk(several=True)) as page:
        tab = open_page(f"{page.url}#/plans")
        expect(tab.locator("a.row")).to_have_count(2)
        tab.get_by_label("Cloud", exact=True).select_option("osaka-2")
        expect(tab.locator("#status .trouble")).to_contain_text("Prometheus does not answer: 503")
        expect(tab.locator("#empty")).to_contain_text("another process looks after osaka-2")
        assert tab.url.endswith("#/@osaka-2/map")
        tab.get_by_role("navigation").get_by_role("link", name=re.compile("^Plans")).click()
        expect(tab.locator(".nothing")).to_contain_text("No plan waits")
        tab.goto(f"{page.url}#/@tokyo-1/map/id-5")
        expect(tab.locator("#inspector header .name")).to_be_visible()


def test_an_address_never_shows_another_cloud_than_it_names(open_page: Open) -> None:
    with Page(FakeDesk(several=True)) as page:
        tab = open_page(f"{page.url}#/@kyoto-9/map")
        expect(tab.locator("#page")).to_contain_text("No controller looks after a cloud of that name")
        expect(tab.locator("#size")).to_be_hidden()
        tab.locator("#page").get_by_role("link", name="tokyo-1").click()
        expect(tab.locator("#size")).to_have_text("80 hosts · 1,000 servers")


def test_a_plan_brings_its_cloud_along(open_page: Open) -> None:
    with Page(FakeDesk(several=True)) as page:
        tab = open_page(f"{page.url}#/@osaka-2/checks")
        expect(tab.locator("#status .trouble")).to_contain_text("Prometheus does not answer")
        tab.goto(f"{page.url}#/plan/p-3f9a0418")
        expect(tab.locator("#page h1")).to_have_text("Plan p-3f9a0418: balance")
        expect(tab.get_by_label("Cloud", exact=True)).to_have_value("tokyo-1")


def test_who_may_not_even_read_is_told_so(desk: FakeDesk, open_page: Open) -> None:
    with Page(desk, Stranger()) as page:
        tab = open_page(page.url)
        expect(tab.locator("#lost")).to_contain_text("stranger may not do this: it takes the rule watari:read")
        tab.get_by_role("button", name="Another token").click()
        expect(tab.get_by_label("Token", exact=True)).to_be_focused()


@pytest.fixture
def strange(desk: FakeDesk) -> FakeDesk:
    """Server names that are no names, everywhere a name can stand."""
    starved = [one["server"] for one in desk.feed.state()["starved"]]
    for server, name in zip(starved, STRANGE * 9, strict=False):
        desk.feed.names[server] = name
    return FakeDesk(desk.feed)


def test_strange_names_are_text_and_break_nothing(strange: FakeDesk, open_page: Open) -> None:
    with Page(strange) as page:
        for width in (1440, 390):
            tab = open_page(page.url, width=width)
            tab.on("dialog", lambda dialog: pytest.fail(f"a script of a name ran: {dialog.message}"))
            expect(tab.locator("#inspector .starved").first).to_contain_text(STRANGE[0])
            for view in VIEWS:
                tab.goto(f"{page.url}#/{view}")
                _settled(tab, view)
                assert _overflow(tab) <= 0, (view, width)
            tab.goto(f"{page.url}#/plan/p-3f9a0418")
            for name in STRANGE[:4]:
                expect(tab.locator(".ops .name", has_text=name).first).to_be_attached()
            assert tab.evaluate("document.querySelectorAll('main script, main img').length") == 0


@pytest.mark.parametrize("view", VIEWS)
def test_a_narrow_window_needs_no_scrolling_to_the_side(served: Page, open_page: Open, view: str) -> None:
    tab = open_page(f"{served.url}#/{view}", width=390, height=844, has_touch=True)
    expect(tab.locator("#status")).to_contain_text("acts once a person approves")
    _settled(tab, view)
    assert _overflow(tab) <= 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_follow_the_system_and_the_button(served: Page, open_page: Open, theme: str) -> None:
    tab = open_page(f"{served.url}#/plans", theme=theme)
    expect(tab.locator("a.row").first).to_be_visible()
    background = "getComputedStyle(document.body).backgroundColor"
    colours = {"light": "rgb(243, 245, 248)", "dark": "rgb(13, 18, 24)"}
    assert tab.evaluate(background) == colours[theme]
    tab.get_by_role("button", name="Switch between light and dark").click()
    assert tab.evaluate(background) == colours["dark" if theme == "light" else "light"]


@pytest.mark.parametrize("zone", ["UTC", "America/Lima", "Asia/Tokyo"])
def test_times_are_of_the_cloud_whatever_zone_the_browser_is_in(served: Page, open_page: Open, zone: str) -> None:
    tab = open_page(f"{served.url}#/run/r-0772c0de", timezone_id=zone)
    expect(tab.locator(".title .about")).to_contain_text(re.compile("began at 14:21:29.JST"))
    expect(tab.locator(".journal .head")).to_contain_text("times in JST")
    expect(tab.locator(".journal time").last).to_have_text("14:21:29")
    expect(tab.locator(".timeline .axis")).to_contain_text("14:22")


def test_without_a_picture_times_are_of_the_browser(open_page: Open) -> None:
    with Page(FakeDesk(several=True)) as page:
        tab = open_page(f"{page.url}#/@osaka-2/runs", timezone_id="Asia/Kolkata")
        expect(tab.locator("#page .title")).to_contain_text("times in GMT+5:30")


def test_the_keys_are_listed(tab: Tab) -> None:
    expect(tab.locator("#size")).to_contain_text("hosts")
    tab.keyboard.press("?")
    expect(tab.get_by_role("dialog")).to_contain_text("the stop switch")
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog")).to_have_count(0)


def test_findings_come_worst_first_with_their_cure(served: Page, open_page: Open) -> None:
    tab = open_page(f"{served.url}#/checks")
    rows = tab.locator(".findings .finding")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("✕ error")
    expect(rows.first).to_contain_text("Cure: Put it back with watari members attach web-0107")


def _overflow(tab: Tab) -> int:
    return int(tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def _settled(tab: Tab, view: str) -> None:
    where = {"map": "#inspector .starved li", "checks": ".finding", "runs": "a.row", "plans": "a.row"}
    expect(tab.locator(where.get(view, ".operation, .operations > li")).first).to_be_visible()
