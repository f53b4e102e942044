"""Several meters asked at once: partial answers, what is said of those that are away, what people are told."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from times import NOON, SetClock
from watari.errors import Permanent, Transient, WatariError
from watari.model.compute import ServerId
from watari.model.readings import Reading, Rule, Told
from watari.model.reasons import Finding
from watari.observe.meters import Meters

A, B, C = map(ServerId, "abc")


@dataclass
class Fixed:
    """A gauge that says what it is told to."""

    name: str
    answer: Told | WatariError
    settle_s: float = 60.0
    asked: list[list[ServerId]] = field(default_factory=list)

    def read(self, servers: Collection[ServerId]) -> Told:
        self.asked.append(list(servers))
        if isinstance(self.answer, WatariError):
            raise self.answer
        return self.answer


def reading(steal: float = 0.1, age_s: float = 10.0, side: str = "host") -> Reading:
    at = NOON - timedelta(seconds=age_s)
    return Reading(at, steal, 0.5, 1.0) if side == "host" else Reading(at, steal, 0.5, 1.0, "guest", "guest")


def meters(*gauges: Fixed, rule: Rule | None = None) -> Meters:
    return Meters(gauges, rule or Rule(), SetClock())


def found(made: Meters, code: str) -> list[str]:
    return [f"{f.subject}: {f.text}" for f in made.findings if f.code == f"meter-{code}"]


def test_one_that_is_away_does_not_blind_the_others() -> None:
    made = meters(Fixed("libvirt", Transient("no host answers")), Fixed("mackerel", Told({A: reading()})))
    assert set(made.loads([A, B])) == {A}
    assert found(made, "away") == [
        "libvirt: no host answers; nothing is known from libvirt now, the other meters are used"
    ]
    assert found(made, "missing") == ["meters: 1 of 2 servers have no known load: libvirt does not answer (b)"]


@pytest.mark.parametrize(
    ("errors", "kind"),
    [((Permanent("key"), Transient("away")), Transient), ((Permanent("key"), Permanent("url")), Permanent)],
)
def test_when_all_are_away_that_is_raised(errors: tuple[WatariError, ...], kind: type[WatariError]) -> None:
    made = meters(*(Fixed(f"m{n}", error) for n, error in enumerate(errors)))
    with pytest.raises(WatariError) as caught:
        made.loads([A])
    assert type(caught.value) is kind
    assert not made.findings


def test_each_is_asked_once_for_all_servers() -> None:
    gauges = [Fixed(f"m{n}", Told({})) for n in range(3)]
    meters(*gauges).loads([A, B, C])
    assert [gauge.asked for gauge in gauges] == [[[A, B, C]]] * 3


def test_what_is_lacking_is_grouped_by_what_each_meter_says() -> None:
    silent = "its host does not answer"
    one = Fixed("libvirt", Told({A: reading()}, {B: silent, C: silent}))
    two = Fixed("mackerel", Told({}, {A: "no host there", B: "no host there", C: "no host there"}))
    made = meters(one, two)
    made.loads([A, B, C])
    text = "2 of 3 servers have no known load: libvirt: its host does not answer; mackerel: no host there (b, c)"
    assert found(made, "missing") == [f"meters: {text}"]


def test_servers_that_are_off_are_not_told_as_missing() -> None:
    made = Meters(
        [Fixed("libvirt", Told({}, {A: "it does not run", B: "young"}))], Rule(), SetClock(), lambda id: id == A
    )
    assert made.loads([A, B]) == {}
    assert found(made, "missing") == ["meters: 1 of 2 servers have no known load: libvirt: young (b)"]


def test_a_part_that_is_lacking_is_named() -> None:
    half = Reading(NOON, steal=None, load_per_vcpu=1.0, cpu_demand=None)
    made = meters(Fixed("guests", Told({A: half}, {A: "CPU time but no steal"})))
    assert made.loads([A]) == {}
    assert found(made, "missing") == [
        "meters: 1 of 1 servers have no known steal or CPU demand: guests: CPU time but no steal (a)"
    ]


def test_a_disagreement_names_the_values_their_sources_and_ages() -> None:
    one = Fixed("libvirt", Told({A: reading(0.31, 4), B: reading(0.1)}))
    two = Fixed("mackerel", Told({A: reading(0.02, 65, "guest"), B: reading(0.15, side="guest")}))
    made = meters(one, two)
    made.loads([A, B])
    assert found(made, "disagree") == [
        "meters: meters disagree on steal of 1 of 2 servers by more than 10 points: "
        "a: libvirt 31 % (host, 4 s old), mackerel 2 % (guest, 65 s old); taken is libvirt's"
    ]


def test_of_many_disagreements_the_worst_are_told() -> None:
    ids = [ServerId(f"s{n}") for n in range(9)]
    one = Fixed("one", Told({id: reading(0.0) for id in ids}))
    two = Fixed("two", Told({id: reading(0.2 + n / 20) for n, id in enumerate(ids)}))
    made = meters(one, two)
    made.loads(ids)
    (text,) = found(made, "disagree")
    assert "9 of 9 servers" in text
    assert [text.index(f"{id}: ") for id in ("s8", "s7", "s6")] == sorted(
        text.index(f"{id}: ") for id in ("s8", "s7", "s6")
    )
    assert text.endswith("; and 6 more")


def test_stale_values_are_told() -> None:
    made = meters(Fixed("it", Told({A: reading(age_s=900)})))
    made.loads([A])
    assert found(made, "stale") == ["meters: the newest values of 1 of 1 servers are older than 5 min (a)"]


def test_whose_values_are_used_is_told() -> None:
    made = meters(Fixed("hosts", Told({A: reading()})), Fixed("guests", Told({B: reading(side="guest")})))
    made.loads([A, B])
    assert found(made, "sources") == [
        "meters: steal: 1 hosts (host), 1 guests (guest); load per vCPU: 1 hosts (guest), 1 guests (guest); "
        "CPU demand: 1 hosts (host), 1 guests (guest)"
    ]


def test_what_a_meter_remarks_is_passed_on() -> None:
    remark = Finding("mackerel", "meter-partial", "some could not be read")
    made = meters(Fixed("mackerel", Told({A: reading()}, findings=(remark,))))
    made.loads([A])
    assert remark in made.findings


def test_they_settle_when_the_slowest_does() -> None:
    assert meters(Fixed("a", Told({}), 60.0), Fixed("b", Told({}), 180.0)).settle_s == 180.0
