"""The measures that a replay prints: name, meaning, and where the number comes from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cliff.columns import FormattableColumn

if TYPE_CHECKING:
    from watari.app.replay import Result


@dataclass(frozen=True, slots=True)
class Measure:
    """One row: `of` is a policy's number, `nothing` that of the twin in which nothing is moved (None: has none).

    `told`: a history knows it of what really happened, too.
    """

    name: str
    meaning: str
    of: "Callable[[Result], float]"
    nothing: "Callable[[Result], float] | None" = None
    digits: int = 0
    told: bool = True


MEASURES: tuple[Measure, ...] = (
    Measure(
        "starved server-minutes",
        "time with steal AND load over the thresholds, summed over all servers",
        lambda m: m.starved_minutes,
        lambda m: m.starved_minutes_nothing,
    ),
    Measure(
        "starved, % of do nothing",
        "the same, as a share of what is starved when nothing is moved",
        lambda m: 100 * m.starved_share,
        lambda m: 100.0 if m.starved_minutes_nothing else 0.0,
        1,
    ),
    Measure(
        "server-minutes over steal limit",
        "time with steal over the threshold, whatever the load",
        lambda m: m.over_steal_minutes,
        lambda m: m.over_steal_minutes_nothing,
    ),
    Measure(
        "steal-seconds",
        "CPU time that was asked for and not given, in core-seconds",
        lambda m: m.stolen_core_s,
        lambda m: m.stolen_core_s_nothing,
    ),
    Measure(
        "unavoidable steal-seconds",
        "what no placement could have given: a zone asked for more than its hosts have",
        lambda m: m.unavoidable_core_s,
        lambda m: m.unavoidable_core_s,
    ),
    Measure(
        "avoided, % of avoidable",
        "share of the avoidable steal-seconds that the policy avoided",
        lambda m: 100 * m.avoided,
        lambda m: 0.0,
        1,
    ),
    Measure("moves", "live migrations that arrived", lambda m: m.moves, lambda m: 0.0),
    Measure(
        "failed moves", "live migrations that failed or were stopped", lambda m: m.failed, lambda m: 0.0, told=False
    ),
    Measure("GiB memory moved", "memory of the servers that moved", lambda m: m.memory_gib, lambda m: 0.0),
    Measure("GiB disk moved", "local disk of the servers that moved", lambda m: m.disk_gib, lambda m: 0.0),
    Measure(
        "moves back within a day",
        "moves to a host that the server had left less than a day before",
        lambda m: m.went_back,
        lambda m: 0.0,
    ),
    Measure(
        "longest starvation, minutes",
        "the longest time that any one server was starved without a break",
        lambda m: m.longest_minutes,
        lambda m: m.longest_minutes_nothing,
    ),
    Measure("CPU seconds", "that computing this column took", lambda m: m.cpu_s, None, 1, told=False),
    Measure("wall seconds", "the same, by the clock on the wall", lambda m: m.wall_s, None, 1, told=False),
)


class Number(FormattableColumn[float | None]):
    """A number with thousands separated for people, plain for programs."""

    def __init__(self, value: float | None, digits: int) -> None:
        rounded = None if value is None else round(float(value), digits)
        super().__init__(int(rounded) if rounded is not None and digits == 0 else rounded)
        self.text = "" if value is None else f"{value:,.{digits}f}"

    def human_readable(self) -> str:
        return self.text


def cells(results: "Sequence[Result]", measured: "Result | None" = None) -> list[tuple[str | Number, ...]]:
    """A row per measure: its name, what was measured if that is given, doing nothing, then every policy."""
    columns = []
    if measured is not None:
        columns.append([Number(m.of(measured) if m.told else None, m.digits) for m in MEASURES])
    columns.append([Number(m.nothing(results[0]) if m.nothing else None, m.digits) for m in MEASURES])
    columns += [[Number(m.of(result), m.digits) for m in MEASURES] for result in results]
    for column in columns:
        width = max(len(number.text) for number in column)
        for number in column:
            number.text = number.text.rjust(width)  # cliff aligns objects to the left
    names = [m.name for m in MEASURES]
    return list(zip(names, *columns, strict=True))


def described(measures: Iterable[Measure]) -> str:
    """The measures with their meanings, as lines of a help text."""
    width = max(len(m.name) for m in MEASURES)
    return "\n".join(f"  {m.name:<{width}}  {m.meaning}" for m in measures)
