"""What the tests on the rig share: three hosts, from the first test to the last, and the command to run on them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rigs.libvirt.rig import WANTED, cannot, folder, written

if TYPE_CHECKING:
    from command import Watari
    from rigs.libvirt.rig import Rig

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    why = cannot() if WANTED else "needs root, QEMU and libvirt: make test-rigs"
    if why:
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def hosts() -> "Iterator[Rig]":
    """The rig, and this process among its hosts."""
    from rigs.libvirt import guest, packages
    from rigs.libvirt.hosts import Hosts, standing_in
    from rigs.libvirt.rig import Rig

    packages.install()
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    image = guest.build(place / "guest")
    made = Hosts(place)
    with ExitStack() as stack:
        stack.callback(made.down)
        made.up()
        stack.enter_context(standing_in(made.probe))
        yield Rig(made, image)


@pytest.fixture
def rig(hosts: "Rig") -> "Iterator[Rig]":
    """The rig as it is at the beginning: every host up, no guest."""
    hosts.clear()
    yield hosts
    hosts.clear()


@pytest.fixture
def watari(rig: "Rig", tmp_path: Path) -> "Watari":
    """The command, for the hosts of the rig."""
    from command import Watari

    return Watari(
        tmp_path / "no-clouds.yaml", tmp_path, {"WATARI_LIBVIRT_FILE": str(written(tmp_path / "libvirt.yaml"))}
    )
