"""Steal straight from the hosts' libvirt is what the kernel counts, and falls when who fights is moved apart."""

from pathlib import Path

import pytest

from rigs.libvirt.guest import Guest
from rigs.libvirt.rig import CLOUD, Rig, written
from watari.app.clouds import open_cloud
from watari.model.compute import ServerId

NEAR = 0.2  # the kernel is asked over other seconds than libvirt


def test_steal_is_what_the_kernel_counts(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    burners, calm = [Guest("burner-1", 31, burn=1), Guest("burner-2", 32, burn=1)], Guest("calm-1", 33)
    rig.boot("h1", *burners)
    rig.boot("h2", calm)
    monkeypatch.setenv("WATARI_LIBVIRT_FILE", str(written(tmp_path / "libvirt.yaml")))
    cloud = open_cloud(CLOUD)
    loads = cloud.snapshot().loads
    waited = rig.delays([*burners, calm])
    for guest in burners:
        load = loads[ServerId(guest.uuid)]
        assert load.steal == pytest.approx(waited[guest.name], abs=NEAR)
        assert load.steal > 0.25
        assert load.source == "libvirt: host steal, load estimated from demand"
    assert loads[ServerId(calm.uuid)].steal < NEAR
    assert [finding.code for finding in cloud.missing()] == ["meter-sources"]


def test_a_host_that_is_away_hides_its_own_servers_only(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Guest("here-1", 34), Guest("there-1", 35)
    rig.boot("h1", here)
    rig.boot("h2", there)
    monkeypatch.setenv("WATARI_LIBVIRT_FILE", str(written(tmp_path / "libvirt.yaml")))
    cloud = open_cloud(CLOUD)
    inventory = cloud.inventory()
    rig.hosts.cut("h2")
    loads = cloud.meter.loads(inventory.servers.keys())
    assert set(loads) == {here.uuid}
    assert {"meter-missing", "meter-silent-hosts"} <= {finding.code for finding in cloud.missing()}
