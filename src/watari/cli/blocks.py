"""Two curves as characters: what is, in solid blocks, before what would be, in shaded ones."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Literal

EIGHTHS = " ▁▂▃▄▅▆▇█"
SHADE = "░"
Kind = Literal["measured", "nothing", "empty"]
Line = list[tuple[Kind, str]]


def curves(
    measured: Sequence[float],
    nothing: Sequence[float],
    slots: float,
    columns: int,
    rows: int,
    *,
    ascii_only: bool = False,
) -> list[Line]:
    """`rows` lines from the top, each as runs of one kind. Both curves share one scale, the highest value fills it.

    `slots` is how many values the whole width stands for; columns without values yet stay empty. A column shows the
    largest of its values: a short peak must not vanish.
    """
    m, n = _columns(measured, slots, columns), _columns(nothing, slots, columns)
    top = max((*m, *n, 0.0)) or 1.0
    lines = []
    for row in reversed(range(rows)):
        cells = (_cell(a / top * rows - row, b / top * rows - row, ascii_only) for a, b in zip(m, n, strict=True))
        lines.append([(kind, "".join(c for _, c in run)) for kind, run in groupby(cells, key=lambda cell: cell[0])])
    return lines


def _columns(values: Sequence[float], slots: float, columns: int) -> list[float]:
    return list(_largest(values, slots / columns, columns))


def _largest(values: Sequence[float], each: float, columns: int) -> Iterator[float]:
    for column in range(columns):
        start = int(column * each)
        yield max(values[start : max(start + 1, int((column + 1) * each))], default=0.0)


def _cell(measured: float, nothing: float, ascii_only: bool) -> tuple[Kind, str]:
    """One cell; both heights in cells above its lower edge."""
    if (eighths := min(8, round(measured * 8))) >= (4 if ascii_only else 1):
        return "measured", "#" if ascii_only else EIGHTHS[eighths]
    if nothing >= 0.5:
        return "nothing", ":" if ascii_only else SHADE
    return "empty", " "
