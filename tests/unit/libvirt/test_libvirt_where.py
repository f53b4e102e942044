"""Where a server is when hosts are silent: what is off may be a definition that was left over."""

import pytest

from unit.libvirt.conftest import Rack
from unit.libvirt.small_hosts import SHUTOFF, Domain
from watari.errors import Transient
from watari.model.compute import ServerId

SERVER = ServerId("11111111-1111-4111-8111-111111111111")


def test_a_definition_does_not_answer_for_a_silent_host(rack: Rack) -> None:
    rack.daemons["h1"].put(Domain(SERVER, status=(SHUTOFF, 1)))
    rack.daemons["h2"].away = True
    with pytest.raises(Transient, match="may be on h2"):
        rack.cloud.locate(SERVER)


def test_what_was_off_when_all_answered_is_off_now(rack: Rack) -> None:
    rack.daemons["h1"].put(Domain(SERVER, status=(SHUTOFF, 1)))
    seen, silent = rack.cloud.domains.find(SERVER)
    assert silent == []
    rack.cloud.domains.settled(seen)
    rack.daemons["h2"].away = True
    found = rack.cloud.locate(SERVER)
    assert found is not None
    assert (found.host, found.status) == ("h1", "SHUTOFF")


def test_what_runs_is_where_it_runs_whatever_else_is_silent(rack: Rack) -> None:
    rack.daemons["h1"].put(Domain(SERVER, status=(SHUTOFF, 1)))
    rack.daemons["h3"].put(Domain(SERVER))
    rack.daemons["h2"].away = True
    found = rack.cloud.locate(SERVER)
    assert found is not None
    assert (found.host, found.status) == ("h3", "ACTIVE")
