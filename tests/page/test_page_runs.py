"""Runs on the page: whether they move, how they are ended, what was written down."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from page.browser import Open
from page.fake_desk import FakeDesk
from page.served import Page

HERE = Path(__file__).parent
RUN = "r-0772c0de"
OVER = "r-0701beef"


@pytest.fixture
def run(served: Page, open_page: Open) -> Tab:
    tab = open_page(f"{served.url}#/run/{RUN}")
    expect(tab.locator(".operations > li")).to_have_count(16)
    return tab


def test_every_step_is_a_bar_and_every_state_is_a_word(run: Tab) -> None:
    rows = run.locator(".operations > li")
    expect(rows.nth(0).locator(".bar.st-done")).to_have_count(3)
    expect(rows.nth(2).locator(".bar.st-failed")).to_have_text("✕")
    expect(rows.nth(2)).to_contain_text("1 retry")
    expect(rows.nth(5)).to_contain_text("undone: 3 attempts, no network path")
    expect(rows.nth(8)).to_contain_text("84 % of 55 GiB")
    expect(rows.nth(8)).to_contain_text("MiB/s")
    expect(rows.nth(10)).to_contain_text("stalled 2 min")
    expect(rows.nth(14)).to_contain_text("waits: moves in az2: 3 of 3 at once")
    expect(run.locator(".sums")).to_contain_text("6 of 16 done")
    expect(run.locator(".sums")).to_contain_text("1 operation stalled")


def test_it_is_followed_to_its_end(run: Tab, desk: FakeDesk) -> None:
    name = run.locator(".operations > li").nth(13).locator("button.name")
    for _ in range(60):
        desk.advance(30)
    expect(run.locator(".title .state")).to_have_text("partly done")
    expect(run.locator(".sums")).to_contain_text("15 of 16 done")
    expect(name).to_have_attribute("aria-label", re.compile("done in"))
    expect(run.get_by_role("button", name="Undo 15…")).to_be_visible()


def test_stop_and_cancel_are_two_buttons_that_say_what_happens(run: Tab, desk: FakeDesk) -> None:
    stop = run.get_by_role("button", name="Stop: finish 6, start none")
    cancel = run.get_by_role("button", name="Cancel: abort 6, skip 3")
    expect(cancel).to_be_visible()
    stop.click()
    asked = run.get_by_role("dialog")
    expect(asked).to_contain_text("What is under way (6 operations) is finished. Nothing more begins")
    run.keyboard.press("Escape")
    expect(asked).to_have_count(0)
    expect(stop).to_be_focused()
    assert desk.run(RUN).state == "running"
    cancel.click()
    expect(asked).to_contain_text("What is under way (6 operations) is aborted")
    expect(asked).to_contain_text("What has arrived stays there")
    asked.get_by_role("button", name="Back").click()
    stop.click()
    asked.get_by_role("button", name="Stop the run").click()
    expect(run.locator(".title .state")).to_have_text("stopped")
    run.get_by_role("button", name=re.compile("^Resume")).click()
    asked.get_by_role("button", name="Resume the run").click()
    expect(run.locator(".title .state")).to_have_text("running")


def test_a_cancelled_run_aborts_and_skips(run: Tab, desk: FakeDesk) -> None:
    run.get_by_role("button", name=re.compile("^Cancel")).click()
    run.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    expect(run.locator(".title .state")).to_have_text("being cancelled")
    desk.advance()
    expect(run.locator(".title .state")).to_have_text("cancelled")
    expect(run.locator(".operations > li").nth(15)).to_contain_text("skipped: the run was cancelled")
    expect(run.locator(".operations > li").nth(8)).to_contain_text("undone")


def test_undo_leads_to_the_plan_of_the_way_back(served: Page, open_page: Open) -> None:
    tab = open_page(f"{served.url}#/run/{OVER}")
    tab.get_by_role("button", name=re.compile("^Undo")).click()
    expect(tab.get_by_role("dialog")).to_contain_text("Nothing moves yet: the plan waits for approval.")
    tab.get_by_role("dialog").get_by_role("button", name="Make the plan").click()
    expect(tab.locator("#page h1")).to_have_text("Plan p-0bac0001: balance")
    expect(tab.get_by_role("button", name=re.compile("^Approve"))).to_be_visible()


def test_the_journal_is_filtered_and_grows(run: Tab, desk: FakeDesk) -> None:
    lines = run.locator(".journal tbody tr")
    expect(lines).to_have_count(60)
    run.get_by_label("Filter the journal").fill("network path")
    expect(lines).to_have_count(1)
    expect(lines.first).to_contain_text("✕ failed")
    run.get_by_label("Filter the journal").fill("")
    run.get_by_label("State", exact=True).select_option("undone")
    expect(lines).to_have_count(1)
    run.get_by_label("State", exact=True).select_option("")
    expect(lines).to_have_count(60)
    desk.advance(600)
    expect(lines).not_to_have_count(60)


def test_a_long_journal_is_read_whole_and_shown_a_page_at_a_time(served: Page, open_page: Open, desk: FakeDesk) -> None:
    desk.note(RUN, 1200)
    tab = open_page(f"{served.url}#/run/{RUN}")
    expect(tab.locator(".journal .head")).to_contain_text("1,260 lines")
    lines = tab.locator(".journal tbody tr")
    expect(lines).to_have_count(100)
    expect(lines.first).to_contain_text("line 1199 of 1200")
    tab.get_by_role("button", name="Show more").click()
    expect(lines).to_have_count(200)
    tab.get_by_label("Filter the journal").fill("line 7 of 1200")
    expect(lines).to_have_count(1)


def test_operations_are_sifted_by_what_they_do(run: Tab) -> None:
    shown = run.locator(".operations > li").locator("visible=true")
    expect(shown).to_have_count(16)
    run.get_by_role("button", name="Waiting", exact=True).click()
    expect(shown).to_have_count(3)
    run.get_by_role("button", name="Not done", exact=True).click()
    expect(shown).to_have_count(1)


def test_an_operation_opens_its_steps(run: Tab) -> None:
    run.keyboard.press("ArrowDown")
    run.keyboard.press("ArrowDown")
    run.keyboard.press("ArrowDown")
    run.keyboard.press("Enter")
    inside = run.locator(".operations > li").nth(2).locator(".inside")
    expect(inside).to_contain_text("done, attempt 2")
    expect(inside).to_contain_text("on the map")


def test_hundreds_of_operations_are_drawn_once_and_changed_alone(served: Page, open_page: Open, desk: FakeDesk) -> None:
    from page import plans, progress

    plan = plans.balance(desk.feed, "p-1a2b3c4d", desk.now)
    desk.add(plan, "begun", run="r-1a2b3c4d")
    one = progress.of_plan(plan, "r-1a2b3c4d")[0]
    desk.begin(
        "r-1a2b3c4d",
        plan.id,
        [one.model_copy(update={"id": str(n), "name": f"web-{n:04d}"}) for n in range(800)],
        desk.now,
    )
    tab = open_page(f"{served.url}#/run/r-1a2b3c4d")
    expect(tab.locator(".operations > li")).to_have_count(800)
    tab.evaluate((HERE / "changed_rows.js").read_text())
    desk.advance()
    expect(tab.locator(".operations > li").nth(0).locator(".bar.st-running")).to_have_count(1)
    assert tab.evaluate("window.changed.size") <= 3


def test_the_header_leads_to_the_run_under_way(tab: Tab) -> None:
    tab.get_by_role("link", name=re.compile(f"^Run {RUN}: 6 of 16 done")).click()
    expect(tab.locator("#page h1")).to_have_text(f"Run {RUN}")
