"""A cloud of clouds.yaml that lists several meters, or one as before, or none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from meters import mackerel
from watari.app.clouds import Cloud, open_cloud
from watari.app.metering import with_meters
from watari.drivers.sim.cloud import SimCloud
from watari.errors import BadInput
from watari.observe.meters import Meters
from watari.ports import Inventory

AUTH = {"auth_url": "http://127.0.0.1:9/v3", "username": "ann", "password": "right", "project_name": "ops"}
PROMETHEUS = {"url": "https://prometheus.example.org"}


@dataclass
class Counting:
    """How often a cloud is read."""

    sim: SimCloud
    read: int = 0

    def inventory(self) -> Inventory:
        self.read += 1
        return self.sim.inventory()


@pytest.fixture
def section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The `watari:` section of the cloud east, to which a test adds."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    return {}


def opened(section: dict[str, Any], tmp_path: Path) -> Cloud:
    watari = {"watari": section} if section else {}
    (tmp_path / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"east": {"auth": AUTH, **watari}}}))
    return open_cloud("east")


def test_several_meters_settle_when_the_slowest_does(section: dict[str, Any], tmp_path: Path) -> None:
    rows = [{"prometheus": {**PROMETHEUS, "window": "4m"}}, {"libvirt": {"uri": "qemu+tls://{host}/system"}}]
    cloud = opened(section | {"meters": rows, "meters_rule": {"wins": "first"}}, tmp_path)
    assert cloud.settle_s == 300.0
    assert cloud.missing() == ()


def test_one_prometheus_alone_still_works(section: dict[str, Any], tmp_path: Path) -> None:
    assert opened(section | {"prometheus": PROMETHEUS}, tmp_path).settle_s == 180.0


def test_without_a_meter_it_is_said(section: dict[str, Any], tmp_path: Path) -> None:
    assert [finding.code for finding in opened(section, tmp_path).missing()] == ["no-meter"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"meters": []}, "east.watari.meters: write a list of at least one"),
        ({"meters": [{"snmp": {}}]}, r'east.watari.meters\[0\]: there is no kind "snmp"'),
        (
            {"meters": [{"prometheus": PROMETHEUS}], "meters_rule": {"win": 1}},
            "east.watari.meters_rule.win: there is no",
        ),
        ({"meters": [{"prometheus": PROMETHEUS}], "prometheus": PROMETHEUS}, "write one of prometheus and meters"),
        ({"meters_rule": {"wins": "first"}}, "meters_rule: it is of use with meters only"),
    ],
)
def test_what_is_wrong_is_named(section: dict[str, Any], tmp_path: Path, wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        opened(section | wrong, tmp_path)


def test_servers_are_found_by_the_names_of_the_reading_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cloud is read once for it all."""
    monkeypatch.setenv("WATARI_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MACKEREL_APIKEY", mackerel.KEY)
    cloud = open_cloud("sim:9/20@1")
    sim = cloud.sim
    assert sim is not None
    counting = Counting(sim)
    cloud.compute = cast(Any, counting)
    with mackerel.running() as there:
        there.clock.at = sim.now()
        for server in sim.inventory().servers.values():
            there.add(mackerel.Agent(server.name, steal=0.2, load=3.0))
        with_meters(cloud, [{"mackerel": {"url": there.url}}], None, "here")
        snapshot = cloud.snapshot()
    assert len(snapshot.loads) == 20
    assert {load.source for load in snapshot.loads.values()} == {"mackerel: guest steal, guest load"}
    assert [finding.code for finding in cloud.missing()] == ["meter-sources"]
    assert counting.read == 1


def opened_libvirt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **section: object) -> Cloud:
    path = tmp_path / "libvirt.yaml"
    path.write_text(yaml.safe_dump({"clouds": {"rack": {"hosts": {"h1": {"uri": "qemu+tls://h1/system"}}, **section}}}))
    monkeypatch.setenv("WATARI_LIBVIRT_FILE", str(path))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "none.yaml"))
    return open_cloud("rack")


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ({"window": "5s"}, ["libvirt"]),
        ({"prometheus": PROMETHEUS}, ["prometheus"]),
        ({"meters": [{"libvirt": None}, {"mackerel": None}]}, ["libvirt", "mackerel"]),
    ],
)
def test_plain_libvirt_hosts_are_their_own_meter_unless_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: dict[str, Any], names: list[str]
) -> None:
    meter = opened_libvirt(tmp_path, monkeypatch, **section).meter
    assert isinstance(meter, Meters)
    assert [gauge.name for gauge in meter.gauges] == names


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ({"prometheus": {"ur": "x"}}, "rack.prometheus.url is needed"),
        ({"window": "5m"}, "rack.window: input should be less than or equal to 60"),
        ({"meters": [], "prometheus": PROMETHEUS}, "rack: write one of prometheus and meters"),
    ],
)
def test_what_is_wrong_in_a_libvirt_clouds_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        opened_libvirt(tmp_path, monkeypatch, **section)
