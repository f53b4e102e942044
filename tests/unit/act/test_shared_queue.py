"""Workers' places are shared between clouds."""

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from watari.act.durable.queue import LEAST, shared


@dataclass(frozen=True, slots=True)
class Row:
    cloud: str
    state: str = "pending"


def test_one_cloud_alone_has_all_places() -> None:
    rows = [Row("a")] * 1000
    assert shared(rows, {"a": 5}, 64) == rows


def test_a_large_run_leaves_places_to_a_small_one() -> None:
    rows = [*[Row("a")] * 1000, *[Row("b")] * 3]
    assert Counter(row.cloud for row in shared(rows, {}, 64)) == {"a": 32, "b": 3}
    assert Counter(row.cloud for row in shared(rows, {"a": 32, "c": 1}, 64)) == {"b": 3}


def test_when_the_others_are_done_the_rest_follows() -> None:
    assert len(shared([Row("a")] * 900, {"a": 32}, 64)) == 900


rows = st.lists(st.builds(Row, st.sampled_from("abcd"), st.sampled_from(("pending", "running", "intended"))))
queued = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 100))


@given(rows, queued, st.integers(1, 200))
def test_what_is_under_way_is_always_queued_and_nobody_is_forgotten(
    rows: list[Row], queued: dict[str, int], places: int
) -> None:
    found = shared(rows, queued, places)
    assert [row for row in found if row.state != "pending"] == [row for row in rows if row.state != "pending"]
    waiting = Counter(row.cloud for row in found if row.state == "pending")
    for cloud in {row.cloud for row in rows if row.state == "pending"}:
        assert waiting[cloud] + queued.get(cloud, 0) >= min(LEAST, sum(r == Row(cloud) for r in rows))
