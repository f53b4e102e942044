"""A host whose libvirtd takes connections and answers nothing holds up nobody, and is believed once it is back."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from command import until
from rigs.libvirt.guest import Guest
from rigs.libvirt.rig import CLOUD, Rig, written
from watari.app.clouds import open_cloud
from watari.drivers.libvirt import LibvirtCloud
from watari.errors import Transient
from watari.model.compute import HostName, ServerId

H1, H2, H3 = map(HostName, ("h1", "h2", "h3"))
TIMEOUT_S = 3
SLACK_S = 2.0  # of two busy cores


@pytest.fixture
def cloud(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LibvirtCloud:
    monkeypatch.setenv("WATARI_LIBVIRT_FILE", str(written(tmp_path / "libvirt.yaml", timeout=f"{TIMEOUT_S}s")))
    opened = open_cloud(CLOUD).compute
    assert isinstance(opened, LibvirtCloud)
    return opened


def seconds(do: Callable[[], object]) -> float:
    begun = time.monotonic()
    do()
    return time.monotonic() - begun


def states(cloud: LibvirtCloud) -> dict[str, str]:
    return {name: host.state for name, host in cloud.inventory().hosts.items()}


@pytest.mark.parametrize("connected", [True, False])
def test_a_frozen_libvirtd_holds_up_nobody(rig: Rig, cloud: LibvirtCloud, connected: bool) -> None:
    guest = Guest("web-1", 21)
    rig.boot("h1", guest)
    if connected:
        assert states(cloud) == {"h1": "up", "h2": "up", "h3": "up"}
    rig.hosts.freeze_libvirtd("h2")
    assert seconds(cloud.inventory) < TIMEOUT_S + SLACK_S
    assert states(cloud) == {"h1": "up", "h2": "down", "h3": "up"}
    assert seconds(lambda: cloud.disable_host(H1, "drain")) < SLACK_S

    def disable_h2() -> None:
        with pytest.raises(Transient, match="once it answers"):
            cloud.disable_host(H2, "drain")

    assert seconds(disable_h2) < TIMEOUT_S + SLACK_S
    id = cloud.start_live_migration(ServerId(guest.uuid), H3)
    until("the move to end", lambda: cloud.migration(id).over)
    assert rig.where(guest, [H1, H3]) == ["h3"]
    rig.hosts.thaw_libvirtd("h2")
    until("h2 to answer", lambda: cloud.inventory().hosts[H2].state != "down", timeout_s=30.0)


def test_a_host_that_was_reset_while_it_was_frozen_is_asked_again(rig: Rig, cloud: LibvirtCloud) -> None:
    cloud.asking.again_s = 1.0
    rig.hosts.freeze_libvirtd("h2")  # before anybody is connected: the first call never comes back
    assert states(cloud)["h2"] == "down"
    rig.hosts.cut("h2")
    rig.hosts.kill("h2")
    rig.hosts.mend("h2")
    rig.hosts.restore("h2")
    until("h2 to be believed", lambda: states(cloud)["h2"] == "up", timeout_s=30.0)
