"""Reads are repeated, changes never; every failure says whose turn it is, and no secret."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from unit.openstack.conftest import Opener
from unit.openstack.small_nova import SmallNova, node_row, server_row, service_row
from unit.openstack.stub import Answer, Stub, serving
from watari.drivers.openstack import connect
from watari.drivers.openstack.hosts import UPDATE
from watari.errors import Permanent, Refused, Transient, WatariError
from watari.model.compute import HostName, ServerId

WEB, H1, H2 = ServerId("web"), HostName("h1"), HostName("h2")
BUSY = Answer({"overLimit": {"message": "come back later"}}, 503)


@pytest.fixture
def two_hosts(nova: SmallNova) -> SmallNova:
    nova.servers = [server_row("web")]
    nova.services, nova.nodes = [service_row("h1"), service_row("h2")], [node_row("h1"), node_row("h2")]
    return nova


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_is_repeated_with_growing_pauses(opened: Opener, two_hosts: SmallNova, status: int) -> None:
    east = opened()
    two_hosts.stub.fail("GET", "/compute/servers/web", *[Answer({}, status)] * 3)
    assert east.cloud.locate(WEB) is not None
    assert two_hosts.stub.paths() == ["/compute/servers/web"] * 4
    assert len(east.pauses) == 3
    assert 0.25 <= east.pauses[0] < east.pauses[1] * 2
    assert east.pauses[2] <= 3.0


def test_a_read_that_stays_without_answer_is_transient(opened: Opener, two_hosts: SmallNova) -> None:
    two_hosts.stub.fail("GET", "/compute/servers/web", *[BUSY] * 4)
    with pytest.raises(Transient, match="show server web now: 503 come back later"):
        opened().cloud.locate(WEB)
    assert len(two_hosts.stub.asked) == 4


def test_a_read_whose_line_breaks_is_repeated(opened: Opener, two_hosts: SmallNova) -> None:
    two_hosts.stub.fail("GET", "/compute/servers/web", Answer(status=0))
    assert opened().cloud.locate(WEB) is not None


def test_what_is_no_json_is_asked_for_again(opened: Opener, two_hosts: SmallNova) -> None:
    two_hosts.stub.fail("GET", "/compute/servers/web", Answer("<html>maintenance</html>"))
    assert opened().cloud.locate(WEB) is not None


def test_a_proxy_s_404_does_not_make_a_server_vanish(opened: Opener, two_hosts: SmallNova) -> None:
    lost = Answer("<html>no such site</html>", 404, {"Content-Type": "text/html"})
    two_hosts.stub.fail("GET", "/compute/servers/web", *[lost] * 4)
    with pytest.raises(Transient, match="proxy"):
        opened().cloud.locate(WEB)
    assert opened().cloud.locate(ServerId("gone")) is None


def test_the_pause_that_the_cloud_asks_for_is_made(opened: Opener, two_hosts: SmallNova) -> None:
    east = opened()
    two_hosts.stub.fail("GET", "/compute/servers/web", Answer({}, 429, {"Retry-After": "7"}))
    assert east.cloud.locate(WEB) is not None
    assert east.pauses == [7.0]


def test_a_pause_of_an_hour_is_left_to_the_caller(opened: Opener, two_hosts: SmallNova) -> None:
    east = opened()
    two_hosts.stub.fail("GET", "/compute/servers/web", Answer({}, 503, {"Retry-After": "3600"}))
    with pytest.raises(Transient):
        east.cloud.locate(WEB)
    assert east.pauses == []


@pytest.mark.parametrize("broken", [BUSY, Answer({}, 502), Answer({}, 504), Answer({}, 500), Answer(status=0)])
def test_a_change_is_asked_for_once_whatever_happens(opened: Opener, two_hosts: SmallNova, broken: Answer) -> None:
    east = opened()
    two_hosts.stub.fail("POST", "/compute/servers/web/action", broken)
    with pytest.raises(Transient):
        east.cloud.start_live_migration(WEB, H2)
    assert len(two_hosts.stub.paths("POST")) == 1
    assert east.pauses == []


def test_a_change_that_was_never_sent_is_tried_again(opened: Opener, two_hosts: SmallNova) -> None:
    east = opened()
    assert east.cloud.host(H1) is not None
    url = two_hosts.stub.url
    east.cloud.calls.compute.transport.endpoint_override = f"http://127.0.0.1:{_closed_port()}/compute"

    def back_up(seconds: float) -> None:
        east.pauses.append(seconds)
        east.cloud.calls.compute.transport.endpoint_override = f"{url}/compute"

    object.__setattr__(east.cloud.calls, "sleep", back_up)
    east.cloud.calls.change("PUT", "/os-services/svc-h1", UPDATE, "disable", {"status": "disabled"})
    assert (len(east.pauses), two_hosts.services[0]["status"]) == (1, "disabled")


@pytest.mark.parametrize("status", [400, 409])
def test_a_no_carries_the_cloud_s_words(opened: Opener, two_hosts: SmallNova, status: int) -> None:
    two_hosts.start = lambda server, body: Answer({"conflictingRequest": {"message": "Instance is locked"}}, status)
    with pytest.raises(Refused, match="Instance is locked"):
        opened().cloud.start_live_migration(WEB, H2)


def test_who_lacks_rights_is_told_which(opened: Opener, two_hosts: SmallNova) -> None:
    words = "Policy doesn't allow os_compute_api:os-services:list to be performed."
    two_hosts.stub.fail("GET", "/compute/os-services", Answer({"forbidden": {"message": words}}, 403))
    with pytest.raises(
        Permanent, match=r"user ann in project ops may not .* admin role .* os_compute_api:os-services:list"
    ):
        opened().cloud.inventory()


def test_a_quota_that_is_used_up_is_no_question_of_rights(opened: Opener, two_hosts: SmallNova) -> None:
    two_hosts.start = lambda server, body: Answer({"forbidden": {"message": "Quota exceeded for cores"}}, 403)
    with pytest.raises(Refused, match="Quota exceeded"):
        opened().cloud.start_cold_migration(WEB, H2)


def test_a_token_that_expires_in_mid_run_is_renewed(opened: Opener, two_hosts: SmallNova) -> None:
    east, stub = opened(), two_hosts.stub
    assert east.cloud.locate(WEB) is not None
    stub.expire()
    assert east.cloud.locate(WEB) is not None
    stub.expire()
    east.cloud.disable_host(H1, "drain")
    assert stub.tokens == 3
    assert stub.paths("PUT") == ["/compute/os-services/svc-h1"]


def test_a_wrong_password_is_said_without_the_password(opened: Opener, stub: Stub) -> None:
    stub.password = "another"
    with pytest.raises(Permanent, match=r"wrong user or password for cloud east \(auth_url http://127.0.0.1"):
        opened().cloud.inventory()


def test_no_message_holds_a_secret(opened: Opener, two_hosts: SmallNova) -> None:
    east = opened(auth={"password": "s3cret-word"}, api_timeout=5)
    two_hosts.stub.password = "s3cret-word"
    seen = []
    echo = Answer({"badRequest": {"message": "proxy http://ann:s3cret-word@proxy:3128/ says no"}}, 400)
    for broken in (BUSY, echo, Answer({}, 403), Answer({}, 401), Answer(status=0)):
        two_hosts.stub.fail("GET", "/compute/servers/web", *[broken] * 4)
        try:
            east.cloud.start_live_migration(WEB, H2)
        except WatariError as e:
            seen.append(str(e))
        two_hosts.stub._failures.clear()
    two_hosts.stub.password = "changed"
    two_hosts.stub.expire()
    with pytest.raises(WatariError) as last:
        east.cloud.locate(WEB)
    seen.append(str(last.value))
    assert len(seen) == 6
    assert not [text for text in seen if "s3cret-word" in text or "token-" in text]


def test_a_cloud_that_is_not_there_is_named_with_its_address(clouds_yaml: Callable[..., Path]) -> None:
    port = _closed_port()
    cloud = connect("east", [clouds_yaml(url=f"http://127.0.0.1:{port}")])
    object.__setattr__(cloud.calls, "sleep", lambda seconds: None)
    with pytest.raises(Transient, match=rf"cloud east cannot be reached .*http://127.0.0.1:{port}/.*refused"):
        cloud.inventory()


@pytest.mark.parametrize("path", ["", "/v3"])
def test_a_keystone_that_is_busy_is_asked_again(clouds_yaml: Callable[..., Path], path: str) -> None:
    with serving() as east:
        east.open = lambda method, path, body: Answer({}, 503)  # type: ignore[method-assign]
        cloud = connect("east", [clouds_yaml(auth={"auth_url": f"{east.url}{path}"})])
        object.__setattr__(cloud.calls, "sleep", lambda seconds: None)
        with pytest.raises(Transient, match="Keystone of cloud east cannot answer now"):
            cloud.inventory()


def test_versions_are_the_best_that_both_know(opened: Opener, two_hosts: SmallNova) -> None:
    opened().cloud.locate(WEB)
    assert two_hosts.stub.asked[-1].version == "2.96"
    two_hosts.stub.newest = "2.79"
    opened().cloud.locate(WEB)
    assert two_hosts.stub.asked[-1].version == "2.79"


def test_a_cloud_too_old_is_told_which_feature_needs_what(clouds_yaml: Callable[..., Path]) -> None:
    with serving(newest="2.25") as old:
        cloud = connect("east", [clouds_yaml(url=old.url)])
        with pytest.raises(
            Permanent, match=r"too old to list the compute services: .* needs Nova's API 2.53, it offers 2.25"
        ):
            cloud.inventory()
        assert old.asked == []


def test_every_request_has_an_end(opened: Opener, two_hosts: SmallNova, monkeypatch: pytest.MonkeyPatch) -> None:
    east = opened()
    session = east.cloud.calls.compute.transport.session
    limits: list[Any] = []
    send = session.session.request

    def watched(*args: Any, **more: Any) -> Any:
        limits.append(more["timeout"])
        return send(*args, **more)

    monkeypatch.setattr(session.session, "request", watched)
    east.cloud.start_live_migration(WEB, H2)
    assert len(limits) > 5
    assert None not in limits


def test_sixty_four_threads_share_one_cloud(opened: Opener, two_hosts: SmallNova) -> None:
    east = opened()
    with ThreadPoolExecutor(64) as threads:
        found = list(threads.map(lambda _: east.cloud.locate(WEB), range(256)))
    assert len([server for server in found if server and server.host == "h1"]) == 256
    assert two_hosts.stub.tokens == 1
    pool = east.cloud.calls.compute.transport.session.session.get_adapter(two_hosts.stub.url)
    assert pool._pool_maxsize == 64  # type: ignore[attr-defined]


def _closed_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
