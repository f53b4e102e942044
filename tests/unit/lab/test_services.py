"""Starting services: taken ports, processes that end, logs that say why, and taking it all back."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from watari.errors import BadInput
from watari.lab.bringup import Bringup
from watari.lab.place import Place
from watari.lab.services import Failed, Services
from watari.lab.spec import LabSpec
from watari.lab.unit import Unit, always, listens

SERVE = "import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def python(name: str, code: str, port: int | None = None) -> Unit:
    ready = always if port is None else listens(port)
    return Unit(name, (sys.executable, "-c", code), {}, port, ready)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place.of(LabSpec(tmp_path))
    place.paths.make()
    yield place


def test_a_service_is_started_once_waited_for_and_stopped(place: Place, free_port: int) -> None:
    services = Services(place, {"api": python("api", SERVE.format(port=free_port), free_port)})
    assert services.start("api")
    services.wait("api")
    assert not services.start("api")
    services.stop("api")
    assert services.identity("api") is None


def test_a_taken_port_is_told_before_the_service_is_started(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        services = Services(place, {"api": python("api", "", server.getsockname()[1])})
        with pytest.raises(BadInput, match="another process has"):
            services.start("api")


def test_a_service_that_ends_is_told_with_the_end_of_its_log(place: Place, free_port: int) -> None:
    code = "import sys; [print('line', i, flush=True) for i in range(40)]; sys.exit('the disk is on fire')"
    services = Services(place, {"api": python("api", code, free_port)})
    services.start("api")
    with pytest.raises(Failed, match="the disk is on fire") as error:
        services.wait("api")
    assert "api ended" in str(error.value)
    assert "line 38" in str(error.value)
    assert "line 3\n" not in str(error.value)


def test_a_failed_start_stops_what_it_started_and_nothing_else(place: Place, free_port: int) -> None:
    units = {
        "mariadb": python("mariadb", "import time; time.sleep(60)"),
        "keystone": python("keystone", "import time; time.sleep(60)"),
        "glance": python("glance", "raise SystemExit('no')", free_port),
    }
    services = Services(place, units)
    services.start("mariadb")  # ran before
    bringup = Bringup(services, lambda _: None)
    bringup.start(units)
    assert bringup.started == ["keystone", "glance"]
    with pytest.raises(Failed, match="glance"):
        bringup.wait(bringup.started)
    bringup.roll_back()
    assert services.identity("keystone") is None
    assert services.identity("mariadb") is not None
    services.stop("mariadb")


def test_a_service_that_is_not_there_is_named_with_those_that_are(place: Place) -> None:
    with pytest.raises(BadInput, match=r"nova-compute@cmp06"):
        Services.of(place).unit("cinder")
