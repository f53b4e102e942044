"""Plans on the page: reading one, deciding on it, with care where a server is stopped."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from page import plans as make
from page.browser import Open
from page.fake_desk import FakeDesk
from page.served import Page, Viewer
from watari.web.api.desk import By
from watari.web.api.models import DrainRequest

WAITING = "p-3f9a0418"  # one of its servers is stopped
DRAIN = "p-dd5e0419"
GENTLE = "p-9b1e0420"


@pytest.fixture
def gentle(desk: FakeDesk) -> str:
    """A plan that waits and stops nothing."""
    desk.add(make.balance(desk.feed, GENTLE, desk.now), "waiting")
    return GENTLE


def test_the_waiting_plan_is_read_approved_and_its_run_appears(
    served: Page, open_page: Open, desk: FakeDesk, gentle: str
) -> None:
    tab = open_page(served.url)
    expect(tab.get_by_role("link", name="Plans, 3 wait for approval")).to_be_visible()
    tab.get_by_role("navigation").get_by_role("link", name=re.compile("^Plans")).click()
    tab.locator("a.row", has_text=gentle).click()
    expect(tab.locator("#page h1", has_text=gentle)).to_be_visible()
    expect(tab.locator(".ops .operation")).to_have_count(8)
    expect(tab.locator(".ops .wave")).to_have_count(2)
    expect(tab.locator(".ops .reason").first).to_contain_text("(limit 10 %)")
    expect(tab.locator(".refusals li").first).to_contain_text("the cool-down is 60 min")
    expect(tab.locator(".refusals li").first).to_contain_text("It is judged again in 38 min.")
    expect(tab.locator(".cpus li").first).to_contain_text("115 %")
    expect(tab.locator(".small-map canvas")).to_have_count(2)
    tab.locator(".ops button.op").first.click()
    expect(tab.locator(".ops .inside .candidates li")).to_have_count(4)
    expect(tab.locator(".ops .inside")).to_contain_text("needs 16,384 MiB")
    tab.get_by_label("Why (optional)").fill("the shop is slow")
    tab.get_by_role("button", name="Approve 8 operations").click()
    expect(tab.locator(".title .state")).to_have_text("approved, about to begin")
    expect(tab.locator(".decide")).to_contain_text("by you")
    expect(tab.locator(".decide")).to_contain_text("the shop is slow")
    desk.advance()
    expect(tab.locator(".title .state")).to_have_text("begun")
    tab.get_by_role("link", name="Run r-9b1e0420", exact=True).click()
    expect(tab.locator("#page h1")).to_have_text("Run r-9b1e0420")
    expect(tab.locator(".operations > li")).to_have_count(8)


def test_the_time_that_is_left_counts_down(served: Page, open_page: Open, desk: FakeDesk) -> None:
    tab = open_page(f"{served.url}#/plan/{WAITING}")
    expect(tab.locator(".title .about")).to_contain_text("expires in 4 min")
    desk.advance(120)
    expect(tab.locator(".title .about")).to_contain_text("expires in 2 min")


def test_a_plan_whose_time_is_over_cannot_be_approved(
    served: Page, open_page: Open, desk: FakeDesk, gentle: str
) -> None:
    tab = open_page(f"{served.url}#/plan/{gentle}")
    approve = tab.get_by_role("button", name="Approve 8 operations")
    expect(approve).to_be_enabled()
    desk.advance(301)
    expect(approve).to_be_disabled()
    expect(tab.locator(".decide")).to_contain_text("Its time is over.")


def test_an_approved_plan_says_that_the_stop_switch_holds_it(
    served: Page, open_page: Open, desk: FakeDesk, gentle: str
) -> None:
    desk.set_stop("", "the storage network flaps", By("m.sato"))
    tab = open_page(f"{served.url}#/plan/{gentle}")
    tab.get_by_role("button", name="Approve 8 operations").click()
    expect(tab.locator(".decide")).to_contain_text("It begins once the stop switch is lifted.")
    expect(tab.locator("#status .stopped")).to_contain_text("Stopped for all clouds by m.sato")


def test_earlier_plans_come_a_page_at_a_time(served: Page, open_page: Open, desk: FakeDesk) -> None:
    for n in range(60):
        desk.add(make.balance(desk.feed, f"p-{n:08x}", desk.now - timedelta(hours=n), most=1), "expired")
    tab = open_page(f"{served.url}#/plans")
    rows = tab.locator("a.row")
    expect(rows).to_have_count(2)
    tab.get_by_role("button", name="All", exact=True).click()
    expect(rows).to_have_count(50)
    tab.get_by_role("button", name="Show earlier ones").click()
    expect(rows).to_have_count(65)
    expect(tab.get_by_role("button", name="Show earlier ones")).to_be_hidden()


def test_to_reject_takes_a_reason(served: Page, open_page: Open, desk: FakeDesk) -> None:
    tab = open_page(f"{served.url}#/plan/{WAITING}")
    tab.get_by_role("button", name="Reject plan…").click()
    reject = tab.get_by_role("button", name="Reject the plan")
    expect(reject).to_be_disabled()
    tab.get_by_label("Reason (others will read it)").fill("   ")
    expect(reject).to_be_disabled()
    tab.get_by_label("Reason (others will read it)").fill("not during the sale")
    reject.click()
    expect(tab.locator(".title .state")).to_have_text("rejected")
    expect(tab.locator(".decide")).to_contain_text("by you")
    assert desk.plan(WAITING).why == "not during the sale"


def test_a_plan_that_stops_a_server_wants_its_name_typed(served: Page, open_page: Open, desk: FakeDesk) -> None:
    stopped = next(op["name"] for op in desk.plan(WAITING).plan["operations"] if op["destructive"])
    tab = open_page(f"{served.url}#/plan/{WAITING}")
    expect(tab.locator(".decide")).to_contain_text(f"{stopped} will be stopped.")
    approve = tab.get_by_role("button", name="Approve 8 operations")
    expect(approve).to_be_disabled()
    tab.locator("#word").fill(stopped[:-1])
    tab.keyboard.press("Enter")
    assert desk.plan(WAITING).state == "waiting"
    tab.locator("#word").fill(stopped)
    approve.click()
    expect(tab.locator(".title .state")).to_have_text("approved, about to begin")


def test_a_drain_wants_the_name_of_its_host_typed(served: Page, open_page: Open) -> None:
    tab = open_page(f"{served.url}#/plan/{DRAIN}")
    expect(tab.locator(".decide")).to_contain_text("az2-h04 will be emptied.")
    tab.locator("#word").fill("az2-h04")
    tab.get_by_role("button", name=re.compile("^Approve")).click()
    expect(tab.locator(".title .state")).to_have_text("approved, about to begin")


def test_what_somebody_else_decided_meanwhile_is_seen_and_said(
    served: Page, open_page: Open, desk: FakeDesk, gentle: str
) -> None:
    tab = open_page(f"{served.url}#/plan/{gentle}")
    expect(tab.get_by_role("button", name="Approve 8 operations")).to_be_enabled()
    desk.decide(gentle, False, "I was first", By("m.sato"))
    expect(tab.locator(".title .state")).to_have_text("rejected")
    expect(tab.locator(".decide")).to_contain_text("by m.sato")
    expect(tab.locator(".decide")).to_contain_text("I was first")
    expect(tab.get_by_role("button", name="Approve 8 operations")).to_be_hidden()


def test_why_it_cannot_be_decided_any_more_is_told(served: Page, open_page: Open, desk: FakeDesk, gentle: str) -> None:
    tab = open_page(f"{served.url}#/plan/{gentle}")
    expect(tab.get_by_role("button", name="Approve 8 operations")).to_be_enabled()
    with desk.lock:  # decided, and the page was not told yet
        desk._plans[gentle] = desk._plans[gentle].model_copy(update={"state": "expired"})
    tab.get_by_role("button", name="Approve 8 operations").click()
    expect(tab.locator(".decide .error")).to_contain_text(f"{gentle} is expired already")


def test_a_plan_that_is_not_there_says_so(served: Page, open_page: Open) -> None:
    tab = open_page(f"{served.url}#/plan/p-00000000")
    expect(tab.locator(".nothing")).to_contain_text("there is no plan p-00000000")


def test_a_plan_can_be_asked_for(served: Page, open_page: Open, desk: FakeDesk) -> None:
    tab = open_page(f"{served.url}#/plans")
    tab.get_by_role("button", name="Plan now…").click()
    tab.get_by_label("drain: empty hosts, and take them out of service first").check()
    tab.get_by_label("Hosts, with spaces between").fill("az1-h07")
    tab.get_by_label("bring each back into service once everything has left it").check()
    tab.get_by_role("button", name="Make the plan").click()
    expect(tab.locator("#page h1")).to_have_text("Plan p-0e3a77c1: drain")
    assert desk.proposed == [DrainRequest(job="drain", cloud="tokyo-1", hosts=["az1-h07"], then="enable", why="")]


def test_from_load_to_approval_with_the_keyboard_alone(
    served: Page, open_page: Open, desk: FakeDesk, gentle: str
) -> None:
    tab = open_page(served.url)
    expect(tab.locator("#size")).to_contain_text("hosts")
    tab.keyboard.press("2")
    expect(tab.locator("a.row").first).to_be_visible()
    tab.keyboard.press("ArrowDown")
    expect(tab.locator("a.row").first).to_be_focused()
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.press("Enter")
    expect(tab.locator("#page h1")).to_have_text(f"Plan {gentle}: balance")
    tab.keyboard.press("ArrowDown")
    expect(tab.locator("button.op").first).to_be_focused()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    expect(tab.locator("button.op").nth(1)).to_have_attribute("aria-expanded", "true")
    tab.keyboard.press("a")
    expect(tab.get_by_role("button", name="Approve 8 operations")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator(".title .state")).to_have_text("approved, about to begin")
    tab.keyboard.press("Escape")
    expect(tab.locator("#page h1")).to_have_text("Plans")


def test_who_may_only_read_sees_no_buttons(desk: FakeDesk, open_page: Open) -> None:
    with Page(desk, Viewer()) as page:
        tab = open_page(f"{page.url}#/plan/{WAITING}")
        expect(tab.locator(".decide")).to_contain_text("You may read, and not decide")
        for address in (f"plan/{WAITING}", "plans", "run/r-0772c0de", "map", "checks"):
            tab.goto(f"{page.url}#/{address}")
            expect(tab.locator("#status")).to_contain_text("acts once a person approves")
            expect(tab.locator("h1").first).to_be_attached()
            for word in ("Approve", "Reject", "Stop", "Cancel", "Plan now", "Undo"):
                expect(tab.get_by_role("button", name=re.compile(f"^{word}"))).to_have_count(0)


def test_an_empty_list_says_what_comes_next(open_page: Open) -> None:
    with Page(FakeDesk(busy=False)) as page:
        tab = open_page(f"{page.url}#/plans")
        expect(tab.locator(".nothing")).to_contain_text("No plan waits")
        expect(tab.locator(".nothing")).to_contain_text("Plan now…")
        tab.goto(f"{page.url}#/runs")
        expect(tab.locator(".nothing")).to_contain_text("Approve a plan")
        tab.goto(f"{page.url}#/checks")
        expect(tab.locator(".nothing")).to_contain_text("Nothing to look at")
