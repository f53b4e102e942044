"""What the tests on the lab share: the command, the cloud as its administrator sees it, and servers to move about."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import clouds
from lab.cli import Watari
from lab.rig import WANTED

if TYPE_CHECKING:
    from lab.nova import Nova
    from watari.lab.lab import Lab
    from watari.model.compute import Server

HERE = Path(__file__).parent
# The first ones need no measured loads: by the time of the balance there are some, and nobody waited for them.
FIRST = ("test_refused_access.py", "test_killed.py", "test_unmeasured.py", "test_balanced.py")
CROWD = tuple(f"crowd-{n:02d}" for n in range(1, 41))
SHORT_LIVED = ("gone", "grown")  # for tests that delete and resize
CROWD_HOSTS = ("cmp09", "cmp10", "cmp11", "cmp12", "cmp13", "cmp14")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    if not WANTED:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason="needs the lab: make test-lab"))
        return
    first = {item: FIRST.index(item.path.name) for item in ours if item.path.name in FIRST}
    items.sort(key=lambda item: first.get(item, len(FIRST)))


@pytest.fixture(scope="session")
def nova(lab: "Lab") -> "Nova":
    from lab.nova import Nova

    made = Nova(lab)
    made.ask_boot((*CROWD, *SHORT_LIVED), CROWD_HOSTS)
    return made


@pytest.fixture(scope="session")
def crowd(nova: "Nova") -> "list[Server]":
    """Forty small servers of the second zone, where nothing else of the tests lives; and those that live shortly."""
    return nova.booted((*CROWD, *SHORT_LIVED))[: len(CROWD)]


@pytest.fixture
def watari(lab: "Lab", nova: "Nova", tmp_path: Path) -> Watari:
    """The command, with the lab's clouds and some that are wrong in its clouds.yaml."""
    return Watari(clouds.written(lab.paths.clouds_yaml, tmp_path / "clouds.yaml"), tmp_path)


@pytest.fixture(autouse=True)
def as_it_was(lab: "Lab", nova: "Nova") -> Iterator[None]:
    """After every test faults are gone, all hosts are up, nothing goes on, and no server is in ERROR or twice there."""
    yield
    lab.clear_knobs()
    missing = [name for name in lab.services.units if lab.services.identity(name) is None]
    assert missing == []
    nova.at_rest()
