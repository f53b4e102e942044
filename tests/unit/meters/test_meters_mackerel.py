"""Mackerel: percent × CPUs, who is which host, keys, batches, and what goes wrong on the way."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meters import mackerel
from meters.mackerel import KEY, Agent, Organization
from orchestrators.answering import Answer, Request, serving
from watari.drivers.gauges import Surroundings, open_gauges
from watari.drivers.mackerel import AHEAD, NO_CPUS, NO_HOST, NO_STEAL, NO_VALUES, ODD, TWO, UNHEARD
from watari.errors import BadInput, Permanent, Refused, Transient, WatariError
from watari.model.compute import HostName, Server, ServerId
from watari.model.readings import Reading, Told

A, B = ServerId("id-a"), ServerId("id-b")


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Organization]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("MACKEREL_APIKEY", KEY)
    with mackerel.running() as made:
        yield made


def named(*servers: tuple[ServerId, str], **metadata: str) -> dict[ServerId, Server]:
    return {id: Server(id, name, HostName("h1"), 2, 1024, metadata=metadata) for id, name in servers}


def read(there: Organization, servers: dict[ServerId, Server], **section: object) -> Told:
    around = Surroundings(there.clock, "clouds.yaml: east.watari", lambda: servers)
    (gauge,) = open_gauges([{"mackerel": {"url": there.url, **section}}], around)
    return gauge.read(list(servers))


def reading(there: Organization, agent: Agent) -> Reading | str:
    there.add(agent)
    told = read(there, named((A, agent.name)))
    return told.readings.get(A) or told.missing[A]


def test_percent_is_of_one_cpu_so_it_is_divided_by_their_number(there: Organization) -> None:
    found = reading(there, Agent("web-1", cpus=8, steal=0.1, busy=0.4, load=12.0))
    assert isinstance(found, Reading)
    assert (found.steal, found.load_per_vcpu, found.cpu_demand) == pytest.approx((0.1, 1.5, 4.0))
    assert (found.steal_side, found.demand_side, found.estimated) == ("guest", "guest", False)


def test_the_number_of_cpus_is_that_of_the_values_not_of_an_old_description(there: Organization) -> None:
    """A guest that was resized is described anew only after a while."""
    found = reading(there, Agent("web-1", cpus=4, told_cpus=1, steal=0.2))
    assert isinstance(found, Reading)
    assert found.steal == pytest.approx(0.2)


def test_without_all_parts_of_the_time_the_description_tells_the_cpus(there: Organization) -> None:
    only = frozenset({"cpu.steal.percentage", "loadavg5"})
    found = reading(there, Agent("web-1", cpus=4, steal=0.2, load=2.0, only=only))
    assert isinstance(found, Reading)
    assert (found.steal, found.load_per_vcpu) == pytest.approx((0.2, 0.5))
    assert found.cpu_demand is None, "it is not known, and not zero"


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        (Agent("web-1", only=frozenset()), NO_VALUES),
        (Agent("web-1", only=frozenset({"loadavg5"}), told_cpus=0), NO_CPUS),
        (Agent("web-1", age_s=-300), AHEAD),
        (Agent("web-1", only=frozenset({"cpu.steal.percentage"}), cpus=4, told_cpus=1, steal=0.5), ODD),
        (Agent("web-1", more={"cpu.steal.percentage": None, "loadavg5": {"time": 1, "value": "x"}}), NO_VALUES),
    ],
)
def test_what_cannot_be_a_reading_is_missing_with_its_reason(there: Organization, agent: Agent, why: str) -> None:
    assert reading(there, agent) == why


def test_a_guest_that_knows_no_steal_has_a_load(there: Organization) -> None:
    there.add(Agent("web-1", cpus=2, load=3.0, only=frozenset({"loadavg5"})))
    told = read(there, named((A, "web-1")))
    assert (told.readings[A].steal, told.readings[A].load_per_vcpu) == (None, 1.5)
    assert told.missing == {A: NO_STEAL}


def test_a_value_is_as_old_as_its_own_time_and_a_clock_a_little_ahead_is_forgiven(there: Organization) -> None:
    there.add(Agent("old", age_s=900))
    there.add(Agent("ahead", age_s=-20))
    told = read(there, named((A, "old"), (B, "ahead")))
    now = there.clock.now()
    assert (now - told.readings[A].at).total_seconds() == 900
    assert told.readings[B].at == now


@pytest.mark.parametrize(
    ("by", "agent"),
    [
        ("name", Agent("web-1")),
        ("name", Agent("WEB-1.example.org")),
        ("display-name", Agent("i-0a1b", display="Web_1")),
        ("custom-identifier", Agent("i-0a1b", custom="ID-A")),
    ],
)
def test_hosts_are_found_by(there: Organization, by: str, agent: Agent) -> None:
    there.add(agent)
    assert set(read(there, named((A, "Web 1")), servers_by=by).readings) == {A}


def test_hosts_are_found_by_what_the_server_says_of_itself(there: Organization) -> None:
    id = there.add(Agent("whatever"))
    assert set(read(there, named((A, "web-1"), mackerel=id), servers_by="metadata:mackerel").readings) == {A}


def test_a_name_that_is_there_twice_is_nobodys(there: Organization) -> None:
    there.add(Agent("web-1"))
    there.add(Agent("web-1.old"))
    there.add(Agent("db-1"))
    told = read(there, named((A, "web-1"), (B, "db-1"), (ServerId("id-c"), "db-1")))
    assert told.readings == {}
    assert set(told.missing.values()) == {TWO}


def test_hosts_in_maintenance_count_those_that_are_off_do_not(there: Organization) -> None:
    there.add(Agent("a", status="maintenance"))
    there.add(Agent("b", status="poweroff"))
    told = read(there, named((A, "a"), (B, "b")))
    assert set(told.readings) == {A}
    assert told.missing == {B: NO_HOST}


@pytest.fixture
def many(there: Organization) -> dict[ServerId, Server]:
    ids = [ServerId(f"id-{n}") for n in range(450)]
    for id in ids:
        there.add(Agent(id))
    return named(*((id, id) for id in ids))


def test_many_servers_take_few_requests_with_short_addresses(there: Organization, many: dict[ServerId, Server]) -> None:
    assert len(read(there, many).readings) == 450
    assert there.served is not None
    assert there.served.count("GET", "/api/v0/hosts") == 1
    assert there.served.count("GET", "/api/v0/tsdb/latest") == 3


def test_a_request_that_fails_is_tried_again(there: Organization, many: dict[ServerId, Server]) -> None:
    there.refuse_batches = 2
    assert len(read(there, many).readings) == 450


def test_a_part_that_fails_leaves_the_rest(there: Organization, many: dict[ServerId, Server]) -> None:
    answer = there.answer

    def refuse(request: Request) -> Answer:
        bad = request.path.endswith("latest") and "2u4PP000000" in request.query["hostId"]
        return (500, "boom") if bad else answer(request)

    with serving(refuse) as served:
        there.served = served
        told = read(there, many)
    assert len(told.readings) == 250
    assert set(told.missing.values()) == {UNHEARD}
    (finding,) = told.findings
    assert finding.text.startswith("values of 200 of 450 hosts could not be read: Mackerel cannot read values now: 500")


@pytest.mark.parametrize(("status", "error"), [(429, Transient), (503, Transient), (401, Refused), (404, Refused)])
def test_what_a_status_means(there: Organization, status: int, error: type[Exception]) -> None:
    assert there.served is not None
    there.served.fate = status
    with pytest.raises(error) as caught:
        read(there, named((A, "web-1")))
    assert KEY not in str(caught.value)
    tries = there.served.count("GET", "/api/v0/hosts")
    assert tries == (3 if error is Transient else 1)


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        ({"hello": 1}, Permanent, "an answer without `hosts`; is `url` its API's"),
        ("<html>", Transient, "cannot list its hosts now: it answers what is no JSON: <html>"),
    ],
)
def test_an_address_that_is_not_mackerels(
    there: Organization, answer: object, error: type[WatariError], why: str
) -> None:
    with serving(lambda request: (200, answer)) as served:
        there.served = served
        with pytest.raises(error, match=why):
            read(there, named((A, "web-1")))


def test_a_wrong_key_is_refused_and_not_told(there: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACKEREL_APIKEY", "wr0ng")
    with pytest.raises(Refused, match="does not let us list its hosts") as caught:
        read(there, named((A, "web-1")))
    assert "wr0ng" not in str(caught.value)


def test_the_key_may_be_in_a_file_or_in_another_variable(
    there: Organization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.add(Agent("web-1"))
    monkeypatch.delenv("MACKEREL_APIKEY")
    monkeypatch.setenv("MY_KEY", KEY)
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    for section in ({"api_key_file": str(path)}, {"api_key_env": "MY_KEY"}):
        assert read(there, named((A, "web-1")), **section).readings


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (lambda path: path.write_text(""), "holds no API key of Mackerel"),
        (lambda path: path.write_text("two\nlines"), "does not hold one API key on one line"),
        (lambda path: None, "cannot be read"),
    ],
)
def test_a_key_that_is_none(there: Organization, tmp_path: Path, content: Callable[[Path], object], why: str) -> None:
    path = tmp_path / "key"
    content(path)
    with pytest.raises(BadInput, match=why) as caught:
        read(there, named((A, "web-1")), api_key_file=str(path))
    assert "two" not in str(caught.value)
    assert there.served is not None
    assert not there.served.seen


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ({"api_key": "s3cret"}, "api_key: there is no such key; did you mean api_key_"),
        ({"servers_by": "address"}, "servers_by: write name or display-name"),
        ({"roles": ["app"]}, "roles: roles are a service's"),
        ({"load": "loadavg2"}, "load: input should be 'loadavg1', 'loadavg5' or 'loadavg15'"),
    ],
)
def test_what_is_wrong_in_its_section(there: Organization, section: dict[str, object], why: str) -> None:
    with pytest.raises(BadInput, match=rf"clouds.yaml: east.watari.meters\[0\].mackerel.*{why}") as caught:
        read(there, {}, **section)
    assert "s3cret" not in str(caught.value)
