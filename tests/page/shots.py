"""The pictures of docs/images: `python -m page.shots` (with PYTHONPATH=src:tests).

Plan and run are those of the made-up cloud of the page's tests, because it has every state at once. The map is that of
`watari demo`, two minutes after the balancer was switched on; what it shows is printed, for the captions.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from page.browser import ARGS, chromium
from page.fake_desk import FakeDesk
from page.served import Page

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE = {"width": 1440, "height": 900}
THEMES = ("light", "dark")
VIEWS = {
    "plan": ("plan/p-3f9a0418", ".small-map canvas"),
    "run": ("run/r-0772c0de", ".journal tbody tr"),
}
AT = "12:17"  # of the demo's clock
LATER = "at => document.getElementById('clock').textContent.slice(0, 5) >= at"


def made_up(browser: "Browser", folder: Path) -> None:
    """Plan and run, in both themes."""
    with Page(FakeDesk()) as page:
        for name, (address, shown) in VIEWS.items():
            for theme in THEMES:
                tab = _tab(browser, f"{page.url}#/{address}", theme)
                tab.locator(shown).first.wait_for()
                tab.screenshot(path=folder / f"{name}-{theme}.png")


def of_the_demo(browser: "Browser", folder: Path) -> None:
    """The map, in both themes."""
    with _demo() as url:
        tabs = [_tab(browser, url, theme) for theme in THEMES]
        for theme, tab in zip(THEMES, tabs, strict=True):
            tab.wait_for_function(LATER, arg=AT, timeout=300_000)
            tab.screenshot(path=folder / f"map-{theme}.png")
            print(f"map-{theme}:", re.sub(r"\s+", " ", f"{tab.inner_text('#clock')}: {tab.inner_text('#strip')}"))


@contextmanager
def _demo() -> Iterator[str]:
    command = [sys.executable, "-m", "watari", "demo", "--seconds", "120", "--port", "0", "--no-view"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = next(url for line in process.stdout for url in re.findall(r"http://\S+/", line))
        yield found
        process.kill()


def _tab(browser: "Browser", url: str, theme: str) -> "Tab":
    tab = browser.new_context(viewport=SIZE, color_scheme=theme).new_page()  # type: ignore[arg-type]
    tab.goto(url)
    return tab


def main() -> None:
    """Take them all, or only those of the made-up cloud."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=IMAGES, metavar="FOLDER")
    parser.add_argument("--no-demo", action="store_true", help="not the map, which takes a minute or two")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(playwright), args=ARGS)
        made_up(browser, options.to)
        if not options.no_demo:
            of_the_demo(browser, options.to)
        browser.close()


if __name__ == "__main__":
    main()
