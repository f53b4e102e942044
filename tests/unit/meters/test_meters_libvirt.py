"""Counters of libvirt's hosts: resets, moves, hosts that are silent or hang, and how often each is asked."""

import threading
import time
from dataclasses import replace

import pytest

from meters.hosts import PAUSED, SHUTOFF, CountingHost, Guest, gauge_of
from times import NOON, SetClock
from watari.drivers.gauges import Surroundings, open_gauges
from watari.drivers.libvirt.asking import Asking
from watari.drivers.libvirt.counters import NO_DELAY, ODD, OFF, YOUNG, Look, between, counted
from watari.drivers.libvirt.meter import ELSEWHERE, NO_ADDRESS, SILENT, LibvirtMeterSettings
from watari.errors import BadInput, Transient, WatariError
from watari.model.compute import HostName, Server, ServerId
from watari.model.readings import Reading

A, B = ServerId("a"), ServerId("b")


def look(s: float, *guests: Guest) -> Look:
    rows = {ServerId(g.id): row for g in guests if (row := counted(g.run, g.stats(s))) is not None}
    return Look(s, NOON, rows, frozenset(ServerId(g.id) for g in guests if g.state != 1))


def measured(earlier: Look, later: Look) -> Reading:
    found = between(earlier, later)[A]
    assert isinstance(found, Reading), found
    return found


def test_steal_is_the_mean_over_its_vcpus() -> None:
    it = Guest(A, vcpus=4, steal=0.25, busy=0.5)
    found = measured(look(0, it), look(10, it))
    assert (found.steal, found.cpu_demand, found.load_per_vcpu) == pytest.approx((0.25, 3.0, 0.75))
    assert (found.steal_side, found.estimated) == ("host", True)


def test_a_counter_that_began_anew_counts_from_zero_as_in_prometheus() -> None:
    before, after = Guest(A, steal=0.4, busy=0.2), Guest(A, steal=0.4, busy=0.2, begun_s=6.0)
    found = measured(look(0, before), look(10, after))
    assert found.steal == pytest.approx(0.16), "4 of the 10 seconds are counted, as rate() does"


def test_a_guest_that_was_started_again_or_has_come_is_young() -> None:
    it = Guest(A, steal=0.4)
    assert between(look(0, it), look(10, replace(it, run=2)))[A] == YOUNG
    assert between(look(0), look(10, it))[A] == YOUNG
    assert between(None, look(10, it))[A] == YOUNG


def test_only_guests_that_run_are_counted() -> None:
    """During a move the target lists the guest, too: paused, with counters."""
    it = Guest(A, steal=0.4, state=PAUSED)
    assert between(look(0, it), look(10, it))[A] == OFF


def test_a_vcpu_that_was_plugged_in_between_is_left_out() -> None:
    found = measured(look(0, Guest(A, vcpus=1, steal=0.5)), look(10, Guest(A, vcpus=2, steal=0.5)))
    assert found.steal == pytest.approx(0.5)


def test_a_libvirt_that_tells_no_delay_gives_no_steal_not_zero() -> None:
    it = Guest(A, busy=0.9, tells=False)
    assert between(look(0, it), look(10, it))[A] == NO_DELAY


def test_more_steal_than_there_was_time_is_left_out_a_little_more_is_all_of_it() -> None:
    assert between(look(0, Guest(A, steal=0.0)), look(10, Guest(A, steal=0.1)))[A] == ODD
    it = Guest(A, steal=1.2)
    assert measured(look(0, it), look(10, it)).steal == 1.0


class Scene:
    """Two hosts with a guest each, and what the inventory says of them."""

    def __init__(self, settings: LibvirtMeterSettings | None = None) -> None:
        self.clock = SetClock()
        self.guest = Guest(A, steal=0.3, busy=0.5)
        self.h1 = CountingHost("h1", self.clock, [self.guest])
        self.h2 = CountingHost("h2", self.clock, [Guest(B, busy=0.1)])
        self.homes = {A: "h1", B: "h2"}
        hosts = {"h1": self.h1, "h2": self.h2}
        self.gauge = gauge_of(hosts, self.servers, self.clock, settings)

    def servers(self) -> dict[ServerId, Server]:
        return {id: Server(id, id, HostName(host), 2, 1024) for id, host in self.homes.items()}


def test_two_looks_a_window_apart_one_call_for_each_host_and_look() -> None:
    scene = Scene()
    told = scene.gauge.read([A, B])
    assert told.readings[A].steal == pytest.approx(0.3)
    assert scene.clock.seconds() == 10
    assert (scene.h1.calls, scene.h2.calls) == (2, 2)


def test_one_look_is_enough_where_the_last_one_is_not_long_ago() -> None:
    scene = Scene()
    scene.gauge.read([A, B])
    scene.clock.sleep(20)
    assert scene.gauge.read([A, B]).readings[A].steal == pytest.approx(0.3)
    assert scene.clock.seconds() == 30
    assert (scene.h1.calls, scene.h2.calls) == (3, 3)


def test_a_look_that_is_too_near_is_waited_for_one_that_is_too_old_is_not_used() -> None:
    scene = Scene()
    scene.gauge.read([A])
    scene.clock.sleep(4)
    scene.gauge.read([A])
    assert (scene.clock.seconds(), scene.h1.calls) == (20, 3)
    scene.clock.sleep(600)
    scene.gauge.read([A])
    assert (scene.clock.seconds(), scene.h1.calls) == (630, 5)


def test_a_silent_hosts_servers_are_missing_and_the_host_is_named() -> None:
    scene = Scene()
    scene.h2.down = True
    told = scene.gauge.read([A, B])
    assert set(told.readings) == {A}
    assert told.missing == {B: SILENT}
    (finding,) = told.findings
    assert finding.text.startswith(
        "1 of 2 hosts do not answer: h2 (cannot read the counters of its domains on h2 now: no route"
    )


def test_a_host_that_fell_silent_between_two_looks_is_looked_at_anew() -> None:
    scene = Scene()
    scene.gauge.read([A, B])
    scene.h2.down = True
    scene.gauge.read([A, B])
    scene.h2.down = False
    scene.clock.sleep(20)
    assert scene.gauge.read([A, B]).readings[B].cpu_demand == pytest.approx(0.2)


def test_when_no_host_answers_that_is_raised() -> None:
    scene = Scene()
    scene.h1.down = scene.h2.down = True
    with pytest.raises(Transient, match="none of 2 hosts answers, such as h1"):
        scene.gauge.read([A, B])


def test_a_guest_under_way_is_measured_at_its_source_and_then_young() -> None:
    scene = Scene()
    scene.h2.guests.append(Guest(A, steal=0.9, state=PAUSED))
    assert scene.gauge.read([A]).readings[A].steal == pytest.approx(0.3)
    scene.h1.guests, scene.h2.guests[-1].state = [], 1
    scene.homes[A] = "h2"
    scene.clock.sleep(20)
    scene.gauge.read([B])
    scene.clock.sleep(20)
    assert scene.gauge.read([A]).readings[A].steal == pytest.approx(0.9)


def test_servers_that_are_off_gone_or_elsewhere_say_so() -> None:
    scene = Scene()
    scene.guest.state = SHUTOFF
    scene.homes[ServerId("far")] = "h9"
    told = scene.gauge.read([A, B, ServerId("far"), ServerId("nobody")])
    assert told.missing == {A: ELSEWHERE, "far": NO_ADDRESS, "nobody": ELSEWHERE}
    assert [finding.code for finding in told.findings] == ["meter-no-address"]


def test_a_host_that_hangs_holds_up_nobody_and_is_not_asked_again_meanwhile() -> None:
    scene = Scene(LibvirtMeterSettings(timeout="1s"))  # type: ignore[arg-type]
    scene.h2.hangs = threading.Event()
    try:
        told = scene.gauge.read([A, B])
        assert set(told.readings) == {A}
        assert told.missing == {B: SILENT}
        assert set(scene.gauge.read([A, B]).readings) == {A}
    finally:
        scene.h2.hangs.set()


def test_errors_that_are_nobodys_words_are_raised() -> None:
    def ask(host: HostName) -> None:
        raise ZeroDivisionError(host)

    with pytest.raises(ZeroDivisionError):
        Asking(5.0).all([HostName("h1")], ask)


def test_a_host_whose_call_never_ends_is_asked_again_after_a_while() -> None:
    asking, host, for_ever, asked = Asking(0.05, again_s=0.2), HostName("h1"), threading.Event(), 0

    def ask(host: HostName) -> str:
        nonlocal asked
        asked += 1
        if asked == 1:
            for_ever.wait(30.0)
        return "here"

    try:
        assert isinstance(asking.all([host], ask)[host], Transient)
        assert isinstance(asking.all([host], ask)[host], Transient)
        assert asked == 1, "not yet"
        time.sleep(0.3)
        assert asking.one(host, ask) == "here"
    finally:
        for_ever.set()


def test_thousands_of_hosts_are_asked_a_few_at_a_time() -> None:
    lock, now, most = threading.Lock(), 0, 0

    def ask(host: HostName) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        with lock:
            now -= 1
        return host

    names = [HostName(f"h{n}") for n in range(2000)]
    answers: dict[HostName, str | WatariError] = Asking(30.0, at_once=8).all(names, ask)
    assert answers == {name: name for name in names}
    assert most <= 8


def opened(**section: object) -> None:
    open_gauges([{"libvirt": section}], Surroundings(SetClock(), "clouds.yaml: east.watari", dict))


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ({}, r'write `uri`, such as "qemu.tls://\{host\}/system"'),
        ({"uri": "qemu+tls://h1/system"}, r"uri: write it with \{host\} in it"),
        ({"uri": "http://{host}/"}, "uri: write an address such as qemu"),
        ({"hosts": {"h1": "ssh://h1"}}, "hosts.h1: write an address such as qemu"),
        ({"uri": "qemu+ssh://{host}/system", "windw": "5s"}, "windw: there is no such key; did you mean window"),
        ({"uri": "qemu+ssh://{host}/system", "window": "1s"}, "window: input should be greater than or equal to 2"),
    ],
)
def test_what_is_wrong_in_its_section(section: dict[str, object], why: str) -> None:
    with pytest.raises(BadInput, match=rf"clouds.yaml: east.watari.meters\[0\].libvirt.*{why}"):
        opened(**section)


def test_the_hosts_address_follows_from_its_name_unless_it_has_its_own() -> None:
    from watari.drivers.libvirt.meter import _Opened

    hosts = {"h2": "qemu+tls://10.0.0.2/system"}
    settings = LibvirtMeterSettings(uri="qemu+ssh://root@{host}/system", hosts=hosts)
    made = _Opened(settings).connections([HostName("h1"), HostName("h2")])
    assert {name: c.settings.uri for name, c in made.items()} == {
        "h1": "qemu+ssh://root@h1/system", "h2": "qemu+tls://10.0.0.2/system",
    }  # fmt: skip


@pytest.mark.parametrize(("steal", "busy", "load"), [(0.70, 0.19, 0.89), (0.70, 0.21, 1.0), (0.75, 0.27, 1.02)])
def test_a_vcpu_that_wants_to_run_nearly_all_the_time_has_a_load_of_one(steal: float, busy: float, load: float) -> None:
    it = Guest(A, vcpus=2, steal=steal, busy=busy)
    assert measured(look(0, it), look(10, it)).load_per_vcpu == pytest.approx(load)
