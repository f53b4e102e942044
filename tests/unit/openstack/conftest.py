"""A cloud on loopback, opened by the driver; pauses between tries are counted, not waited for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from times import SetClock
from unit.openstack.small_nova import SmallNova, node_row, server_row, service_row
from unit.openstack.stub import Answer, Stub, serving
from watari.drivers.openstack import OpenStackCloud, connect


@dataclass
class Opened:
    """A cloud of the driver, the stub behind it and the pauses it made."""

    cloud: OpenStackCloud
    clock: SetClock
    pauses: list[float] = field(default_factory=list)


Opener = Callable[..., Opened]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as made:
        yield made


@pytest.fixture
def nova(stub: Stub) -> SmallNova:
    return SmallNova(stub)


@pytest.fixture
def clouds_yaml(tmp_path: Path, stub: Stub) -> Callable[..., Path]:
    def write(url: str = "", **section: Any) -> Path:
        auth = {
            "auth_url": f"{url or stub.url}/identity/v3", "username": "ann", "password": "right", "project_name": "ops",
            "user_domain_name": "Default", "project_domain_name": "Default",
        }  # fmt: skip
        auth |= section.pop("auth", {})
        path = tmp_path / "clouds.yaml"
        path.write_text(yaml.safe_dump({"clouds": {"east": {"auth": auth, "region_name": "one", **section}}}))
        return path

    return write


@pytest.fixture
def opened(clouds_yaml: Callable[..., Path]) -> Opener:
    def open_it(**section: Any) -> Opened:
        made = connect("east", [clouds_yaml(**section)])
        clock, pauses = SetClock(), list[float]()
        return Opened(OpenStackCloud(replace(made.calls, sleep=pauses.append), made.settings, clock), clock, pauses)

    return open_it


@pytest.fixture
def three_hosts(nova: SmallNova) -> SmallNova:
    """Two servers, three hosts in their zone and one far away; requests are taken as req-0a."""
    nova.servers = [server_row("web"), server_row("db", "h2")]
    nova.services = [service_row("h1"), service_row("h2"), service_row("h3"), service_row("far", "az2")]
    nova.nodes = [node_row("h1"), node_row("h2"), node_row("h3"), node_row("far")]
    nova.start = lambda server, body: Answer({}, 202, {"x-openstack-request-id": "req-0a"})
    return nova


@pytest.fixture
def east(opened: Opener, three_hosts: SmallNova) -> Opened:
    return opened()
