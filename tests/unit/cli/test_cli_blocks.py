"""The two curves as characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watari.cli.blocks import Line, curves


def text(lines: list[Line]) -> list[str]:
    return ["".join(run for _, run in line) for line in lines]


def test_measured_stands_before_nothing() -> None:
    lines = curves([0, 1, 2, 4], [4, 4, 4, 4], 4, 4, 2)
    assert text(lines) == ["░░░█", "░▄██"]
    assert lines[0] == [("nothing", "░░░"), ("measured", "█")]
    assert text(curves([0, 1, 2, 4], [4, 4, 4, 4], 4, 4, 2, ascii_only=True)) == [":::#", ":###"]


def test_what_has_not_happened_yet_is_empty() -> None:
    assert text(curves([1, 1], [1, 1], 4, 4, 1)) == ["██  "]
    assert text(curves([], [], 288, 8, 2)) == [" " * 8, " " * 8]
    assert text(curves([0, 0], [0, 0], 2, 2, 1)) == ["  "]


def test_a_short_peak_does_not_vanish_in_a_narrow_picture() -> None:
    values = [0.0] * 288
    values[100] = 5.0
    (line,) = text(curves(values, values, 288, 24, 1))
    assert line.count("█") == 1


@pytest.mark.parametrize("columns", [24, 79, 144])
@given(values=st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=288))
def test_the_picture_always_has_its_size(columns: int, values: list[tuple[float, float]]) -> None:
    lines = curves([a for a, _ in values], [b for _, b in values], 288, columns, 5)
    assert [len(line) for line in text(lines)] == [columns] * 5
