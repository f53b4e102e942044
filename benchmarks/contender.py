"""What a contender hands back: a placement and what it took to find it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """`placement`: per server the index of its host after the plan. `cpu_s`: CPU seconds of planning alone."""

    cpu_s: float
    placement: tuple[int, ...]
    metric_queries: int | None = None  # how often it asked for a load, where that can be counted
    peak_mb: float | None = None  # of a process that did nothing else
    note: str = ""  # what a reader of the number has to know, such as a run that was cut short


class Absent(Exception):
    """A peer that cannot take part here; the message says why."""
