"""What one test on the lab broke fails the rest of its group at once, instead of every test after its own long wait."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def folder() -> Path:
    """Where the lab of the tests is: `$WATARI_LAB_DIR`, else `.lab` beside the sources."""
    named = os.environ.get("WATARI_LAB_DIR")
    return Path(named).resolve() if named else Path(__file__).resolve().parents[2] / ".lab"


def forget() -> None:
    """A new run of the tests: nothing is broken yet."""
    folder().mkdir(parents=True, exist_ok=True)
    for path in folder().glob("tests-*.broken"):
        path.unlink()


def check(group: str) -> None:
    """Fails the test if an earlier one of its group left the lab broken."""
    path = _broken(group)
    if path.exists():
        pytest.fail(f"not run: the lab is broken since {path.read_text()}", pytrace=False)


@contextmanager
def breaking(group: str, test: str) -> Iterator[None]:
    """What fails in here is the lab's end for the group."""
    try:
        yield
    except BaseException as e:
        _broken(group).write_text(f"{test}: {e}")
        raise


def _broken(group: str) -> Path:
    return folder() / f"tests-{group}.broken"
