"""The bytes of a history: values within their error, missing for ever missing, slots as they were."""

import math
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watari.app.history.codes import LOAD_MOST, MISSING, decode, encode, largest_error
from watari.app.history.slots import (
    LOAD,
    MOST,
    SHARE,
    SHARE_PEAK,
    SLOT_S,
    STEAL,
    STEAL_PEAK,
    Slot,
    merged,
    pack,
    slot_of,
    unpack,
)

BEGIN = 1_767_600_000


@given(st.lists(st.floats(0, 1)), st.sampled_from([1.0, LOAD_MOST]))
def test_a_value_comes_back_within_its_error(shares: list[float], most: float) -> None:
    values = np.array(shares) * most
    found = decode(encode(values, most), most)
    for value, back in zip(values.tolist(), found.tolist(), strict=True):
        assert abs(back - value) <= largest_error(value, most) + 1e-12
    assert encode(found, most).tolist() == encode(values, most).tolist(), "kept again it loses nothing more"


def test_the_errors_are_as_documented() -> None:
    errors = [largest_error(value, 1.0) for value in (1.0, 0.05, 0.0)]
    assert [round(e, digits) for e, digits in zip(errors, (4, 4, 6), strict=True)] == [0.0039, 0.0009, 4e-06]
    assert largest_error(1.0, LOAD_MOST) == pytest.approx(0.0158, abs=1e-4)


def test_missing_is_not_zero_and_zero_is_not_missing() -> None:
    codes = encode(np.array([math.nan, 0.0, 1e-9]), 1.0)
    assert codes.tolist() == [MISSING, 0, 0]
    assert np.isnan(decode(codes, 1.0)).tolist() == [True, False, False]


def test_what_is_beyond_the_scale_is_kept_as_its_end() -> None:
    assert decode(encode(np.array([40.0, -1.0]), LOAD_MOST), LOAD_MOST).tolist() == [LOAD_MOST, 0.0]


@st.composite
def windows(draw: st.DrawFn) -> list[Slot]:
    """Slots with gaps, in which servers and hosts come and go."""
    out = []
    for k in sorted(draw(st.sets(st.integers(0, 23), min_size=1, max_size=6))):
        hosts = draw(st.lists(st.integers(0, 90), min_size=1, max_size=5, unique=True))
        servers = sorted(draw(st.sets(st.integers(100, 140), max_size=12)))
        place = draw(st.lists(st.integers(0, len(hosts) - 1), min_size=len(servers), max_size=len(servers)))
        size = len(MOST) * len(servers)
        codes = draw(st.lists(st.integers(0, 255), min_size=size, max_size=size))
        out.append(
            Slot(
                BEGIN + k * SLOT_S, draw(st.integers(1, 300)), tuple(hosts), tuple(draw(st.lists(st.integers(0, 9)))),
                np.array(servers, np.int64), np.array(place, np.int64),
                np.array(codes, np.uint8).reshape(len(MOST), -1),
            )
        )  # fmt: skip
    return out


def plain(slot: Slot) -> list[object]:
    values = (getattr(slot, one.name) for one in fields(slot))
    return [value.tolist() if isinstance(value, np.ndarray) else value for value in values]


@given(windows())
def test_a_window_comes_back_as_it_was(slots: list[Slot]) -> None:
    assert [plain(slot) for slot in unpack(pack(slots))] == [plain(slot) for slot in slots]


@pytest.mark.parametrize("kept", [b"", b"WH", b"rubbish", b"WH\x01rubbish", b"WH\x02"])
def test_bytes_that_are_no_slots_are_told(kept: bytes) -> None:
    with pytest.raises(ValueError, match=r"no slots|form 2|rror"):
        unpack(kept)


def test_any_piece_that_is_cut_off_is_told() -> None:
    whole = pack([slot((1,), [[10]] * 5)])
    for end in range(len(whole)):
        with pytest.raises(ValueError, match=r"no slots|rror"):
            unpack(whole[:end])


def slot(servers: tuple[int, ...], codes: list[list[int]], looks: int = 1) -> Slot:
    place = np.zeros(len(servers), np.int64)
    return Slot(BEGIN, looks, (0,), (), np.array(servers, np.int64), place, np.array(codes, np.uint8))


def test_two_parts_of_a_slot_are_weighed_by_their_looks() -> None:
    steal = encode(np.array([0.1, 0.4]), 1.0)
    earlier = slot((7, 9), [[int(steal[0]), MISSING]] * 5, looks=3)
    later = slot((5, 7, 9), [[50, int(steal[1]), 80]] * 5, looks=1)
    both = merged(earlier, later)
    assert (both.looks, both.servers.tolist()) == (4, [5, 7, 9])
    for row, expected in {STEAL: 0.175, STEAL_PEAK: 0.4, SHARE: 0.175, SHARE_PEAK: 0.4}.items():
        assert decode(both.codes[row, 1:2], 1.0)[0] == pytest.approx(expected, abs=3 * largest_error(expected, 1.0))
    assert both.codes[:, 0].tolist() == [50] * 5, "it came in the second part"
    assert both.codes[:, 2].tolist() == [80] * 5, "its load was not known in the first"
    gone = merged(replace(later, looks=1), earlier)
    assert gone.servers.tolist() == [7, 9]
    assert gone.codes[LOAD, 1] == 80


def test_slots_are_counted_in_utc_whatever_clock_people_use() -> None:
    summer, winter = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
    before = datetime(2026, 10, 25, 2, 59, 30, tzinfo=summer)  # a minute later the clocks there are set back an hour
    after = datetime(2026, 10, 25, 2, 0, 30, tzinfo=winter)
    assert slot_of(after) - slot_of(before) == SLOT_S
    assert slot_of(before) == slot_of(before.astimezone(UTC))
