"""Every view in both themes, wide and narrow: nothing that a rule of accessibility calls serious."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from page.browser import Open
from page.served import Page

VIEWS = {
    "map": "#inspector .starved li",
    "map/id-5": "#inspector header .name",
    "plans": "a.row",
    "plan/p-3f9a0418": ".ops .operation",
    "runs": "a.row",
    "run/r-0772c0de": ".operations > li",
    "checks": ".finding",
}


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_serious_stands_in_anybodys_way(
    served: Page, open_page: Open, view: str, theme: str, width: int
) -> None:
    tab = open_page(f"{served.url}#/{view}", theme=theme, width=width)
    expect(tab.locator(VIEWS[view]).first).to_be_visible()
    _judged(tab)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nor_do_dialogs_and_the_stop(served: Page, open_page: Open, theme: str) -> None:
    tab = open_page(f"{served.url}#/run/r-0772c0de", theme=theme)
    tab.locator("button[data-action=cancel]").click()
    _judged(tab)
    tab.keyboard.press("Escape")
    tab.get_by_role("button", name="Stop switch").click()
    tab.get_by_label("Reason (others will read it)").fill("a test")
    tab.get_by_role("button", name="Stop everything new").click()
    expect(tab.locator("#status .stopped")).to_be_visible()
    _judged(tab)
    tab.keyboard.press("?")
    expect(tab.get_by_role("dialog")).to_be_visible()
    _judged(tab)


def _judged(tab: Tab) -> None:
    found = Axe().run(tab).response["violations"]
    bad = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [
        (one["id"], [node["html"][:200] for node in one["nodes"][:5]], one["nodes"][0]["failureSummary"]) for one in bad
    ] == []
