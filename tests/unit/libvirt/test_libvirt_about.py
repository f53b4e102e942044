"""What is read out of a domain's description: its names, its size, what is copied of it, and what pins it."""

from dataclasses import dataclass
from typing import Any

import pytest

from watari.drivers.libvirt.domains import About, about

pytestmark = pytest.mark.usefixtures("lv")  # the bindings need not be installed
GIB = 2**30


def domain(inside: str = "", memory: str = "<memory unit='KiB'>2097152</memory>", vcpu: str = "<vcpu>2</vcpu>") -> str:
    return f"<domain type='kvm'><name>instance-00000007</name>{memory}{vcpu}{inside}</domain>"


def nova(version: str, inside: str) -> str:
    return (
        f"<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/{version}'>{inside}"
        "</nova:instance></metadata>"
    )


OWNER = "<nova:owner><nova:user uuid='u-1'>ann</nova:user><nova:project uuid='p-1'>shop</nova:project></nova:owner>"


def test_a_domain_of_its_own_is_called_by_its_name() -> None:
    assert about(domain()) == About("instance-00000007", 2048, 2, 0)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_server_of_nova_is_called_as_its_owner_calls_it(version: str) -> None:
    found = about(domain(nova(version, f"<nova:name>web-1</nova:name><nova:flavor name='m1.small'/>{OWNER}")))
    assert (found.name, found.flavor, found.project) == ("web-1", "m1.small", "p-1")


@pytest.mark.parametrize("inside", ["", "<nova:name/>", "<nova:owner/>", "<nova:flavor/>"])
def test_what_nova_left_out_is_empty(inside: str) -> None:
    found = about(domain(nova("1.1", inside)))
    assert (found.name, found.flavor, found.project) == ("instance-00000007", "", "")


def test_another_program_s_metadata_are_passed_over() -> None:
    other = "<metadata><x:instance xmlns:x='http://openstack.org/xmlns/libvirt/nova/2.0'><x:name>no</x:name></x:instance></metadata>"
    assert about(domain(other)).name == "instance-00000007"


@pytest.mark.parametrize(
    ("memory", "mib"),
    [
        ("<memory>1048576</memory>", 1024),
        ("<memory unit='KiB'>1048576</memory>", 1024),
        ("<memory unit='MiB'>1024</memory>", 1024),
        ("<memory unit='GiB'>3</memory>", 3072),
        ("<memory unit='b'>1073741824</memory>", 1024),
        ("<memory unit='bytes'>1073741824</memory>", 1024),
        ("<memory/>", 0),
        ("", 0),
    ],
)
def test_memory_has_a_unit(memory: str, mib: int) -> None:
    assert about(domain(memory=memory)).memory_mib == mib


@pytest.mark.parametrize(("vcpu", "vcpus"), [("<vcpu placement='static'>8</vcpu>", 8), ("<vcpu/>", 1), ("", 1)])
def test_a_domain_has_a_vcpu_at_least(vcpu: str, vcpus: int) -> None:
    assert about(domain(vcpu=vcpu)).vcpus == vcpus


def test_metadata_of_ours_are_the_server_s() -> None:
    own = """<metadata><watari:server xmlns:watari="https://watari.dev/xmlns/server/1">
      <watari:meta key="role">web</watari:meta><watari:meta key="watari:drain">live</watari:meta><watari:meta key="x"/>
    </watari:server></metadata>"""
    assert about(domain(own)).metadata == {"role": "web", "watari:drain": "live", "x": ""}


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("<hostdev mode='subsystem' type='pci'/>", "a pci device of its host"),
        ("<hostdev mode='subsystem' type='usb'/>", "a usb device of its host"),
        ("<hostdev/>", "a host device of its host"),
        ("<interface type='hostdev'/>", "a network device of its host"),
        ("<interface type='bridge'/><disk type='file'/>", ""),
    ],
)
def test_a_device_of_the_host_pins_it(device: str, why: str) -> None:
    assert about(domain(f"<devices>{device}</devices>")).pinned_by == why


@dataclass
class Sizes:
    """Stands for the domain: every disk has this many bytes."""

    size: int
    asked: list[str]

    def blockInfo(self, target: str) -> list[int]:
        self.asked.append(target)
        return [self.size, 0, 0]


def disk(target: str, kind: str = "file", more: str = "", **attributes: str) -> str:
    words = "".join(f" {key}='{value}'" for key, value in attributes.items())
    return f"<disk type='{kind}'{words}><target dev='{target}'/>{more}</disk>"


def sized(*disks: str, size: int = GIB) -> tuple[int, list[str]]:
    sizes: Any = Sizes(size, [])
    return about(domain(f"<devices>{''.join(disks)}</devices>"), sizes).disk_gib, sizes.asked


def test_disks_of_the_host_are_copied() -> None:
    assert sized(disk("vda"), disk("vdb", "block"), disk("vdc", device="disk")) == (3, ["vda", "vdb", "vdc"])


def test_a_part_of_a_gib_counts_as_one() -> None:
    assert sized(disk("vda"), size=GIB + 1)[0] == 2
    assert sized(disk("vda"), disk("vdb"), size=GIB // 2)[0] == 1


def test_what_every_host_reaches_or_nobody_writes_is_not_copied() -> None:
    rows = [
        disk("vda", "network"), disk("hda", device="cdrom"), disk("fda", device="floppy"),
        disk("vdb", more="<readonly/>"), disk("vdc", more="<shareable/>"), "<disk type='file'/>",
    ]  # fmt: skip
    assert sized(*rows) == (0, [])


def test_on_shared_storage_nobody_is_asked() -> None:
    assert about(domain(f"<devices>{disk('vda')}</devices>")).disk_gib == 0
