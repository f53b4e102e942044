"""Options of the test run: accept changed expectations, repeatable properties, and a Ctrl-C that is heard."""

import os
import signal

import pytest
from hypothesis import settings

from lab.rig import lab

__all__ = ["lab"]

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_configure() -> None:
    """A run in the background ignores Ctrl-C, and so would every command that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="write what scenarios and golden plans say now into their files; look at the diff before you commit it",
    )


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite"))
