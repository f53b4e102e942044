"""The Chromium that the page's tests look through."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page as Tab
from playwright.sync_api import Playwright

WANTED = os.environ.get("WATARI_TEST_PAGE") == "1"
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGS = ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"]
Open = Callable[..., Tab]
"""`open(address, theme=…, width=…, …)`: a tab of its own on the page's server."""


def chromium(playwright: Playwright) -> str | None:
    """Its path: WATARI_CHROMIUM, the system's, or the one that Playwright has installed."""
    own = playwright.chromium.executable_path
    found = [os.environ.get("WATARI_CHROMIUM", ""), *(shutil.which(name) or "" for name in NAMES), own]
    return next((path for path in found if path and Path(path).exists()), None)
