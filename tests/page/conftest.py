"""What the page's tests share: a browser, a desk in memory behind the real API, and tabs that may not complain."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage
    from playwright.sync_api import Page as Tab

    from page.browser import Open
    from page.fake_desk import FakeDesk
    from page.served import Page

HERE = Path(__file__).parent
WANTED = os.environ.get("WATARI_TEST_PAGE") == "1"
PATIENCE_MS = 15_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if WANTED:
        return
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.skip(reason="needs Chromium: make test-page"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Times that are told and not judged: they are of this machine."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Without a Chromium the tests are skipped; in CI that is a failure."""
    from playwright.sync_api import expect, sync_playwright

    from page.browser import ARGS, chromium

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        path = chromium(playwright)
        if path is None:
            why = "there is no Chromium: apt install chromium, or name one in WATARI_CHROMIUM"
            if os.environ.get("CI"):
                pytest.fail(why)
            pytest.skip(why)
        running = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield running
        running.close()


@pytest.fixture
def desk() -> "FakeDesk":
    from page.fake_desk import FakeDesk

    return FakeDesk()


@pytest.fixture
def served(desk: "FakeDesk") -> "Iterator[Page]":
    """The real API over the desk."""
    from page.served import Page

    with Page(desk) as page:
        yield page


@pytest.fixture
def complaints() -> list[str]:
    """What tabs wrote to their consoles."""
    return []


@pytest.fixture
def open_page(browser: "Browser", complaints: list[str]) -> "Iterator[Callable[..., Tab]]":
    """Open a tab. Whatever it complains of (an error, a breach of the content policy) fails the test."""
    contexts = []

    def open_(url: str, *, width: int = 1440, height: int = 900, theme: str = "light", **more: Any) -> "Tab":
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, **more)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: complaints.append(f"{error}\n{error.stack}"))
        tab.on("console", lambda said: complaints.append(said.text) if _counts(said) else None)
        tab.goto(url)
        return tab

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def _counts(said: "ConsoleMessage") -> bool:
    """Requests that were refused or broken off are told on the page, and tested there."""
    return said.type == "error" and not said.text.startswith("Failed to load resource")


@pytest.fixture
def tab(served: "Page", open_page: "Open") -> "Tab":
    """The page in a tab of the usual size."""
    return open_page(served.url)
