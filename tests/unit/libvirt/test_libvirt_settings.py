"""What libvirt.yaml may say, and where it is looked for; mistakes are told with their place and what would be right."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from watari.drivers.libvirt.settings import HostSettings, LibvirtSettings, cloud_names, found_file, read_cloud
from watari.errors import BadInput

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/libvirt.md").read_text(encoding="utf-8")
URI = "qemu+ssh://root@h1/system"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A file with one cloud, closet, of one host, h1; what a test gives goes over it."""

    def written(host: dict[str, Any] | None = None, **section: Any) -> Path:
        path = tmp_path / "libvirt.yaml"
        hosts = {"h1": {"uri": URI} | (host or {})}
        path.write_text(yaml.safe_dump({"clouds": {"closet": {"hosts": hosts, **section}}}))
        monkeypatch.setenv("WATARI_LIBVIRT_FILE", str(path))
        return path

    return written


def said(name: str = "closet") -> str:
    with pytest.raises(BadInput) as e:
        read_cloud(name)
    return str(e.value)


def test_an_address_is_enough(write: Write) -> None:
    path = write()
    settings, where = read_cloud("closet")
    assert settings == LibvirtSettings({"h1": HostSettings(URI)})
    assert where == f"{path}: closet"
    host = settings.hosts["h1"]
    assert (host.zone, host.link_mib_s, host.cpu_ratio, host.reserved_mib) == ("az1", 1192.0, 4.0, 512)
    assert (settings.shared_storage, settings.window, settings.timeout) == (True, 10, 10)


@pytest.mark.parametrize(
    "uri", [URI, "qemu+tls://h1.example.org/system", "qemu+tcp://10.0.0.1:16509/system", "qemu:///system"]
)
def test_addresses_that_are_right(write: Write, uri: str) -> None:
    write({"uri": uri, "peer_uri": uri})
    assert read_cloud("closet")[0].hosts["h1"].peer_uri == uri


ADDRESS = "write an address such as qemu+ssh://root@h1/system, qemu+tls://h1/system, qemu+tcp://h1/system"


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ({"uri": "h1"}, f".hosts.h1.uri: {ADDRESS}"),
        ({"uri": "qemu+ssh://h1"}, f".hosts.h1.uri: {ADDRESS}"),
        ({"uri": "xen+ssh://h1/system"}, f".hosts.h1.uri: {ADDRESS}"),
        ({"peer_uri": "https://h1/system"}, f".hosts.h1.peer_uri: {ADDRESS}"),
        (
            {"uri": "qemu+tcp://ann:s3cret@h1/system"},
            ".hosts.h1.uri: write no password into it: use a key, a certificate or auth.conf",
        ),
        ({"zones": "az2"}, ".hosts.h1.zones: there is no such key; did you mean zone?"),
        ({"zone": ""}, ".hosts.h1.zone: string should have at least 1 character"),
        ({"move_address": "10.0.9.1"}, ".hosts.h1.move_address: write an address such as tcp://10.0.1.7, of a net"),
        ({"link_mib_s": 0}, ".hosts.h1.link_mib_s: input should be greater than 0"),
        ({"cpus": 0}, ".hosts.h1.cpus: input should be greater than 0"),
        ({"cpu_ratio": -1}, ".hosts.h1.cpu_ratio: input should be greater than 0"),
        ({"reserved_mib": -1}, ".hosts.h1.reserved_mib: input should be greater than or equal to 0"),
        ({"memory_mib": 0}, ".hosts.h1.memory_mib: input should be greater than 0"),
        ({"memory_mib": "much"}, ".hosts.h1.memory_mib: input should be a valid integer"),
    ],
)
def test_what_is_wrong_with_a_host(write: Write, host: dict[str, Any], why: str) -> None:
    path = write(host)
    text = said()
    assert text.startswith(f"{path}: closet{why}")
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ({"hosts": {}}, ".hosts: dictionary should have at least 1 item"),
        ({"hosts": {"h1": {}}}, ".hosts.h1.uri is needed"),
        ({"hosts": None}, ".hosts: "),
        ({"shared_storage": "maybe"}, ".shared_storage: input should be a valid boolean"),
        ({"share_storage": True}, ".share_storage: there is no such key; did you mean shared_storage?"),
        ({"window": "1s"}, ".window: input should be greater than or equal to 2"),
        ({"window": "2m"}, ".window: input should be less than or equal to 60"),
        ({"window": 10}, ".window: write a time with its unit, such as 2m, 90s or 1m30s"),
        ({"timeout": "0s"}, ".timeout: input should be greater than or equal to 1"),
        ({"timeout": "3m"}, ".timeout: input should be less than or equal to 120"),
        ({"prometheus": {"url": "http://p"}, "meters": []}, ": write one of prometheus and meters"),
    ],
)
def test_what_is_wrong_with_a_cloud(write: Write, section: dict[str, Any], why: str) -> None:
    path = write(**section)
    assert said().startswith(f"{path}: closet{why}")


def test_all_that_is_wrong_is_said_at_once(write: Write) -> None:
    write({"zone": "", "cpus": 0}, window="1s")
    assert len(said().splitlines()) == 3


@pytest.mark.parametrize("section", [None, [], "hosts"])
def test_a_cloud_without_keys_is_told_the_least(write: Write, section: Any) -> None:
    path = write()
    path.write_text(yaml.safe_dump({"clouds": {"closet": section}}))
    assert said() == f"{path}: closet: write a mapping with at least hosts: {{h1: {{uri: {URI}}}}}"


def test_a_name_that_is_not_there(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = write()
    assert said("attic") == f'no cloud "attic" in {path}; known are closet'
    path.write_text("clouds: {}")
    assert said("attic") == f'no cloud "attic" in {path}; known are none'
    nowhere(monkeypatch, tmp_path / "empty")
    if found_file() is None:  # nothing in /etc/watari of this machine
        assert said("attic") == 'no cloud "attic" in libvirt.yaml; known are none'
        assert cloud_names() == ()


@pytest.mark.parametrize("text", ["", "[]", "hosts: {}", "clouds: []", "clouds:"])
def test_a_file_without_clouds(write: Write, text: str) -> None:
    path = write()
    path.write_text(text)
    assert said() == f"{path}: write clouds: {{NAME: {{hosts: {{h1: {{uri: {URI}}}}}}}}}"


def test_a_file_that_cannot_be_read(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = write()
    path.write_text("clouds: {closet")
    assert re.match(re.escape(f"{path} cannot be read: while parsing"), said())
    path.write_bytes(b"\xff\xfe\xff")
    assert said().startswith(f"{path} cannot be read: ")
    monkeypatch.setenv("WATARI_LIBVIRT_FILE", str(tmp_path / "gone.yaml"))
    assert said() == f"{tmp_path / 'gone.yaml'} cannot be read: No such file or directory"


def nowhere(monkeypatch: pytest.MonkeyPatch, empty: Path) -> None:
    empty.mkdir(exist_ok=True)
    monkeypatch.delenv("WATARI_LIBVIRT_FILE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(empty / "config"))
    monkeypatch.chdir(empty)


def test_the_file_is_found_here_before_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere(monkeypatch, tmp_path)
    home = tmp_path / "config/watari/libvirt.yml"
    home.parent.mkdir(parents=True)
    home.write_text(f"clouds: {{zoo: {{hosts: {{h1: {{uri: {URI}}}}}}}, attic: {{}}}}")
    assert found_file() == home
    assert cloud_names() == ("attic", "zoo")
    (tmp_path / "libvirt.yml").write_text("clouds: {}")
    (tmp_path / "libvirt.yaml").write_text("clouds: {}")
    assert found_file() == Path("libvirt.yaml")
    monkeypatch.setenv("WATARI_LIBVIRT_FILE", "~/mine.yaml")
    assert found_file() == Path("~/mine.yaml").expanduser()


@pytest.mark.parametrize("settings", [HostSettings, LibvirtSettings])
def test_the_reference_names_every_key(settings: Any) -> None:
    for key in settings.__dataclass_fields__:
        assert f"`{key}`" in PAGE


def test_the_example_of_the_reference_is_right(write: Write) -> None:
    [example] = re.findall(r"```yaml\n(# libvirt.yaml\n.*?)```", PAGE, re.DOTALL)
    write().write_text(example)
    settings, _ = read_cloud("closet")
    assert set(settings.hosts) == {"h1", "h2", "h3"}
    assert settings.hosts["h3"].peer_uri == "qemu+tls://h3.example.org/system"
