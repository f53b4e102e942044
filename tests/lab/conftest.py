"""What the tests on the lab share: the command, the cloud as its administrator sees it, and servers to move about."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from command import Watari
from lab import broken, clouds
from lab.parts import MODULES, Part
from lab.rig import WANTED

if TYPE_CHECKING:
    from lab.nova import Nova
    from watari.lab.lab import Lab
    from watari.model.compute import Server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = list(MODULES)
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    if not WANTED:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason="needs the lab: make test-lab"))
        return
    place = {item: order.index(item.path.name) for item in ours}
    items.sort(key=lambda item: place.get(item, len(order)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if WANTED:
        broken.check(MODULES[item.path.name].name)


@pytest.fixture(scope="session")
def novas(lab: "Lab") -> "dict[str, Nova]":
    """The clouds as the groups see them, by the group's name."""
    return {}


@pytest.fixture(scope="module")
def part(request: pytest.FixtureRequest) -> Part:
    """What the tests of this module have to themselves."""
    return MODULES[request.path.name]


@pytest.fixture(scope="module")
def nova(lab: "Lab", part: Part, novas: "dict[str, Nova]") -> "Nova":
    from lab.nova import Nova

    if part.name not in novas:
        novas[part.name] = Nova(lab, part)
        novas[part.name].ask_boot(part.names, part.hosts)
    return novas[part.name]


@pytest.fixture(scope="module")
def crowd(nova: "Nova", part: Part) -> "list[Server]":
    """Small servers that run."""
    return nova.booted(part.crowd)


@pytest.fixture
def watari(lab: "Lab", nova: "Nova", tmp_path: Path) -> Watari:
    """The command, with the lab's clouds and some that are wrong in its clouds.yaml."""
    return Watari(clouds.written(lab.paths.clouds_yaml, tmp_path / "clouds.yaml"), tmp_path)


@pytest.fixture(autouse=True)
def as_it_was(lab: "Lab", nova: "Nova", part: Part, request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test faults are gone, all hosts are up, nothing goes on, and no server is in ERROR or twice there."""
    yield
    with broken.breaking(part.name, request.node.nodeid):
        for host in part.hosts_in(lab.spec):
            lab.clear_knobs(host)
        assert nova.missing_services() == []
        nova.at_rest()
