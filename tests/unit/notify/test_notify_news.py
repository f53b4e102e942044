"""What is told, and how often: any sequence of looks tells each beginning and each end once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watari.app.notify.matters import Mark, Matter, News, Now, Plan, Run, State
from watari.app.notify.news import CALM_S, LOOK_BACK_S, MEASURED_S, news
from watari.app.notify.targets import Target
from watari.model.reasons import Severity
from watari.plan import codec

START = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
OPS = Target("ops", "webhook", repeat_s=None, url="http://127.0.0.1/")
NAMES = ("a", "b", "c")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def finding(subject: str, severity: Severity = "warning", code: str = "no-data") -> Matter:
    return Matter("findings", code, subject, severity, f"{subject} sends nothing")


def plan(id: str) -> Plan:
    return Plan(id, "balance", 4, 6, START, at(1800))


def run(id: str, ended_s: float, **counts: int) -> Run:
    return Run(id, f"p-{id}", "balance", "done", START, at(ended_s), counts or {"done": 3})


def told(looks: list[Now], target: Target = OPS) -> list[News]:
    """The news of each look; between two of them all that is kept is text."""
    state: State | None = None
    out: list[News] = []
    for now in looks:
        after, found = news(state, now, target)
        state = codec.from_json(State, codec.to_json(State, after), "what was kept")
        assert state == after
        out.append(found)
    return out


def subjects(found: News) -> tuple[list[str], list[str], list[str]]:
    """Whose beginning, lasting and end are told."""
    began, lasting, ended = ([t.matter.subject for t in part] for part in (found.began, found.lasting, found.ended))
    return began, lasting, ended


def test_the_first_look_tells_what_is_wrong_now_as_one() -> None:
    (found,) = told([Now(START, (finding("a"), finding("b")))])
    assert (found.first, subjects(found)) == (True, (["a", "b"], [], []))


def test_a_calm_cloud_is_told_nothing_of() -> None:
    assert not any(told([Now(at(60 * i)) for i in range(5)]))


def test_the_beginning_at_once_and_the_end_after_ten_minutes_of_calm() -> None:
    looks = [Now(at(0)), Now(at(60), (finding("a"),)), *(Now(at(60 * i)) for i in range(2, 14))]
    found = told(looks)
    assert [i for i, one in enumerate(found) if one.began] == [1]
    ((end, one),) = [(i, one) for i, one in enumerate(found) if one.ended]
    assert (end, one.ended[0].since, one.ended[0].gone_at) == (12, at(60), at(120))


def test_what_flaps_is_told_once() -> None:
    looks = [Now(at(300 * i), (finding("a"),) if i % 2 == 0 else ()) for i in range(50)]
    assert [subjects(one) for one in told(looks) if one] == [(["a"], [], [])]


def test_what_a_silent_cloud_no_longer_says_has_not_ended() -> None:
    trouble = Matter("trouble", "undecided", "prod", "error", "503")
    looks = [Now(at(0), (finding("a"),))]
    looks += [Now(at(600 * i), (trouble,), sure=False) for i in range(1, 20)]
    looks += [Now(at(600 * i), (finding("a"),)) for i in range(20, 30)]
    assert [subjects(one) for one in told(looks) if one] == [(["a"], [], []), (["prod"], [], []), ([], [], ["prod"])]


def test_what_is_known_without_the_cloud_ends_although_it_is_silent() -> None:
    broken = finding("p.yaml", "error", "policy-broken")
    looks = [Now(at(0), (broken,), sure=False), *(Now(at(600 * i), sure=False) for i in range(1, 4))]
    assert [subjects(one) for one in told(looks)][2] == ([], [], ["p.yaml"])


def test_a_stop_that_is_lifted_ends_at_once_and_the_next_one_is_another() -> None:
    def stop(mark: str) -> Matter:
        return Matter("trouble", "stopped", "prod", "warning", mark, mark=mark)

    found = told([Now(at(0), (stop("1"),)), Now(at(60)), Now(at(120), (stop("2"),))])
    assert [(len(one.began), len(one.ended)) for one in found] == [(1, 0), (0, 1), (1, 0)]


def test_what_lasts_is_told_again_as_often_as_the_target_wants() -> None:
    target = replace(OPS, repeat_s=3600.0)
    found = told([Now(at(1200 * i), (finding("a"),)) for i in range(8)], target)
    assert [i for i, one in enumerate(found) if one.lasting] == [3, 6]
    assert not any(one.lasting for one in told([Now(at(1200 * i), (finding("a"),)) for i in range(8)]))


def test_what_is_gone_before_the_target_wants_to_know_is_never_told() -> None:
    target = replace(OPS, after_s=300.0)
    short = [Now(at(0), (finding("a"),)), Now(at(60), (finding("a"),)), *(Now(at(60 * i)) for i in range(2, 30))]
    assert not any(told(short, target))
    long = told([Now(at(60 * i), (finding("a"),)) for i in range(10)], target)
    assert [i for i, one in enumerate(long) if one] == [5]
    assert long[5].began[0].since == START


def test_only_what_is_severe_enough_and_asked_for() -> None:
    stopped = Matter("trouble", "stopped", "prod", "warning", "")
    matters = (finding("a", "info"), finding("b"), finding("c", "error"), stopped)
    looks = [Now(START, matters, plans=(plan("p-1"),))]
    assert subjects(told(looks, replace(OPS, severity="error"))[0])[0] == ["c", "prod"]
    only_plans = told(looks, replace(OPS, about=frozenset({"plans"})))[0]
    assert (subjects(only_plans)[0], len(only_plans.plans)) == ([], 1)


def test_of_two_findings_with_one_key_the_worst_is_told() -> None:
    (found,) = told([Now(START, (finding("a", "info"), finding("a", "error"), finding("a", "warning")))])
    assert [t.matter.severity for t in found.began] == ["error"]


def test_what_the_target_no_longer_wants_is_not_told_as_ended() -> None:
    _, first = news(None, Now(at(0), (finding("a"),)), OPS)
    state, _ = news(None, Now(at(0), (finding("a"),)), OPS)
    stricter = replace(OPS, severity="error")
    state, second = news(state, Now(at(60), (finding("a"),)), stricter)
    _, third = news(state, Now(at(3600)), stricter)
    assert (bool(first), bool(second), bool(third)) == (True, False, False)


def test_no_target_is_told_that_it_is_down_itself() -> None:
    down = Matter("findings", "notify", "ops", "warning", "down")
    other = replace(OPS, name="other")
    assert not told([Now(START, (down,))])[0]
    assert subjects(told([Now(START, (down,))], other)[0])[0] == ["ops"]


def test_a_plan_is_told_once_and_plans_that_chase_each_other_every_ten_minutes() -> None:
    looks = [Now(at(60 * i), plans=(plan(f"p-{i}"),)) for i in range(25)]
    assert [p.id for one in told(looks) for p in one.plans] == ["p-0", "p-10", "p-20"]
    stands = [Now(at(60 * i), plans=(plan("p-1"),)) for i in range(60)]
    assert [p.id for one in told(stands) for p in one.plans] == ["p-1"]


def test_runs_that_ended_before_the_target_was_there_are_no_news() -> None:
    old, new = run("r-1", -60, failed=1), run("r-2", 30, failed=1)
    found = told([Now(at(0), runs=(old,)), Now(at(60), runs=(old, new)), Now(at(120), runs=(old, new))])
    assert [[r.id for r in one.runs] for one in found] == [[], ["r-2"], []]


def test_a_run_is_not_told_twice_as_long_as_it_could_be() -> None:
    one = run("r-1", 30, failed=1)
    looks = [Now(at(0)), *(Now(at(60 + 3600.0 * i), runs=(one,)) for i in range(60))]
    assert [r.id for found in told(looks) for r in found.runs] == ["r-1"]
    assert LOOK_BACK_S < 60 * 3600


def test_a_run_that_went_well_is_told_with_what_it_brought() -> None:
    unmeasured = replace(run("r-1", 30), starved_before=5)
    measured = replace(unmeasured, starved_after=1)
    found = told([Now(at(0)), Now(at(60), runs=(unmeasured,)), Now(at(120), runs=(measured,))])
    assert [[r.starved_after for r in one.runs] for one in found] == [[], [], [1]]
    late = told([Now(at(0)), *(Now(at(60.0 * i), runs=(unmeasured,)) for i in range(1, 20))])
    assert [i for i, one in enumerate(late) if one.runs] == [1 + (MEASURED_S + 30 - 60) // 60 + 1]
    failed = replace(unmeasured, counts={"done": 1, "failed": 1})
    assert told([Now(at(0)), Now(at(60), runs=(failed,))])[1].runs


def test_a_target_that_begins_to_want_runs_is_not_told_of_old_ones() -> None:
    deaf = replace(OPS, about=frozenset({"findings"}))
    one = run("r-1", 30, failed=1)
    state, _ = news(None, Now(at(0)), deaf)
    state, found = news(state, Now(at(60), runs=(one,)), deaf)
    assert not found
    assert not news(state, Now(at(120), runs=(one,)), OPS)[1]
    assert state.runs == (Mark("r-1", at(30)),)


def test_a_clock_that_is_set_back_holds_nothing_up_for_ever() -> None:
    looks = [Now(at(86400), (finding("a"),)), Now(at(86460)), Now(at(0)), Now(at(60))]
    assert [subjects(one) for one in told(looks) if one] == [(["a"], [], []), ([], [], ["a"])]


Step = tuple[int, frozenset[str], bool]  # seconds since the last look, who is found, whether all is known
looks_ = st.lists(st.tuples(st.integers(1, 900), st.frozensets(st.sampled_from(NAMES)), st.booleans()), max_size=60)


@given(looks_)
def test_any_sequence_of_looks_tells_each_beginning_and_each_end_once(steps: list[Step]) -> None:
    seconds, looks = 0, []
    for gap, found_, sure in steps:
        seconds += gap
        looks.append(Now(at(seconds), tuple(map(finding, sorted(found_))), sure))
    found = told(looks)
    for name in NAMES:
        last, events = "ended", list[str]()
        last_seen: datetime | None = None
        gone_since: datetime | None = None
        for now, one in zip(looks, found, strict=True):
            began, lasting, ended = subjects(one)
            present = name in {m.subject for m in now.matters}
            assert lasting == []
            assert began.count(name) + ended.count(name) <= 1, "one thing is told of it at a look"
            if name in began:
                assert (last, present) == ("ended", True), "only what is there, and was not told, begins"
                last = "began"
                events.append(last)
            if present:
                assert last == "began", "what is wrong is told at the look that sees it"
                last_seen, gone_since = now.at, None
            elif now.sure and last_seen is not None:
                gone_since = gone_since or now.at
                calm = (now.at - gone_since).total_seconds() >= CALM_S
                assert (name in ended) == (calm and last == "began"), "it ends once it was known to be gone for long"
            if name in ended:
                assert now.sure
                last = "ended"
                events.append(last)
        assert events == [("began", "ended")[i % 2] for i in range(len(events))]


@pytest.mark.parametrize("subject", ["x" * 5000, "ウェブ" * 300])
def test_a_very_long_subject_has_a_key_that_a_database_can_keep(subject: str) -> None:
    one, other = finding(subject + "1"), finding(subject + "2")
    assert len(str(one.key)) < 400
    assert one.key != other.key
