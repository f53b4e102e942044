"""Find keys that are right one by one and wrong together, and say how to mend them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from watari.policy import windows
from watari.policy.document import Document, KeyPath, Problem, dotted
from watari.policy.schema import shown
from watari.policy.values import Peak, Policy, Window

Clash = tuple[tuple[KeyPath, ...], str]  # the keys that clash, the one to blame first; and the sentence
_ALL_DAY = frozenset(range(windows.DAY))


@dataclass(frozen=True, slots=True)
class Facts:
    """A policy and where its values were written."""

    policy: Policy
    document: Document

    def given(self, path: KeyPath) -> bool:
        return path in self.document.lines

    def value(self, path: KeyPath) -> str:
        """`5 % (line 3)`, `2 % (the default)`."""
        origin = f"line {self.document.lines[path]}" if self.given(path) else "the default"
        return f"{self.bare(path)} ({origin})"

    def bare(self, path: KeyPath) -> str:
        """The value of (section, key), in the file's own words where it was written."""
        section = self.document.values.get(str(path[0]))
        written = section.get(str(path[1])) if isinstance(section, dict) else None
        return written if isinstance(written, str) else shown(self.policy, path)

    def name(self, path: KeyPath) -> str:
        """`detect.steal, 5 % (line 3)`."""
        return f"{dotted(path)}, {self.value(path)}"

    def problem(self, clash: Clash) -> Problem:
        """About the first key of the clash, in the line of the first that was written."""
        paths, text = clash
        written = next((path for path in paths if self.given(path)), paths[0])
        return Problem(self.document.line(written), paths[0], text)


def contradictions(policy: Policy, document: Document, wrong: Iterable[KeyPath]) -> tuple[Problem, ...]:
    """All of them, except about keys that are `wrong` by themselves: what they should be is not known.

    A limit that another one makes idle is a contradiction only where it was written: who lowers `total` alone need not
    lower each default under it.
    """
    facts = Facts(policy, document)
    faulty = [path[:2] for path in wrong]

    def known(path: KeyPath) -> bool:
        return not any(path[: len(bad)] == bad for bad in faulty)

    clashes = (clash for find in _CHECKS for clash in find(facts))
    return tuple(facts.problem(clash) for clash in clashes if all(known(path) for path in clash[0]))


def _thresholds(facts: Facts) -> Iterator[Clash]:
    most, steal = ("destination", "max_steal"), ("detect", "steal")
    if facts.policy.destination.max_steal >= facts.policy.detect.steal:
        yield (
            (most, steal),
            f"{facts.value(most)} is not less than {facts.name(steal)}: a starved host could receive more; "
            f"write less than {facts.bare(steal)}",
        )


def _idle_limits(facts: Facts) -> Iterator[Clash]:
    total, budgets = ("budgets", "total"), facts.policy.budgets
    limits = {
        "per_host_out": budgets.per_host_out,
        "per_host_in": budgets.per_host_in,
        "per_zone": budgets.per_zone,
        "per_role": budgets.per_role,
    }
    for key, limit in limits.items():
        path = ("budgets", key)
        if limit > budgets.total and facts.given(path):
            yield (
                (path, total),
                f"{facts.value(path)} is more than {facts.name(total)}, and never reached; "
                f"write {budgets.total} or less, or raise total",
            )


def _bandwidths(facts: Facts) -> Iterator[Clash]:
    move, budgets = ("budgets", "move"), facts.policy.budgets
    for key, limit in (("link", budgets.link_mib_s), ("total_bandwidth", budgets.total_mib_s)):
        path = ("budgets", key)
        if budgets.move_mib_s is not None and limit is not None and budgets.move_mib_s > limit:
            yield (
                (move, path),
                f"{facts.value(move)} is more than {facts.name(path)}: no move can have it; "
                f"write {facts.bare(path)} or less, or raise {key}",
            )


def _calm(facts: Facts) -> Iterator[Clash]:
    back, still, calm = ("calm", "no_return"), ("calm", "cool_down"), facts.policy.calm
    if 0 < calm.no_return_s < calm.cool_down_s:
        yield (
            (back, still),
            f"{facts.value(back)} is less than {facts.name(still)}, and never felt; "
            f"write {facts.bare(still)} or more, or 0 s to allow the way back",
        )


def _slots(facts: Facts) -> Iterator[Clash]:
    slot, horizon, ahead = ("look_ahead", "slot"), ("look_ahead", "horizon"), facts.policy.look_ahead
    if 0 < ahead.horizon_s < ahead.slot_s:
        yield (
            (slot, horizon),
            f"{facts.value(slot)} is more than {facts.name(horizon)}: nothing ahead could be seen; "
            f"write {facts.bare(horizon)} or less, or horizon: 0 s to turn look_ahead off",
        )


def _weights(facts: Facts) -> Iterator[Clash]:
    weights = facts.policy.weights
    paths = tuple(("weights", key) for key in ("steal", "same_role", "cpu", "memory"))
    if not any((weights.steal, weights.same_role, weights.cpu, weights.memory)):
        yield paths, "all of steal, same_role, cpu and memory are 0: no host is better than another; raise one"


def _exclusions(facts: Facts) -> Iterator[Clash]:
    exclude = facts.policy.exclude
    for key, patterns in (("servers", exclude.servers), ("hosts", exclude.hosts)):
        for index, pattern in enumerate(patterns):
            if not pattern.strip("*"):
                text = f'"{pattern}" excludes all {key}, nothing could ever be moved; write which {key} are meant'
                yield (("exclude", key, index),), text
    for key, names in (("roles", exclude.roles), ("projects", exclude.projects)):
        for index, name in enumerate(names):
            if "*" in name:
                yield (
                    (("exclude", key, index),),
                    f'"{name}" is no pattern, {key} are compared as written; name each of them',
                )


def _quiet_all_day(facts: Facts) -> Iterator[Clash]:
    """Windows for named zones do not count: a zone that is always quiet is a wish that can be granted."""
    budgets = facts.policy.budgets
    silent = [peak.window for peak in budgets.peaks if peak.moves == 0]
    covered = _covered(w for w in (*budgets.quiet, *silent) if not w.zones)
    if covered != _ALL_DAY:
        return
    if _covered(w for w in budgets.quiet if not w.zones) == _ALL_DAY:
        yield (("budgets", "quiet"),), "the windows cover the whole day, no move could ever start; leave some time free"
    else:
        paths: tuple[KeyPath, ...] = (("budgets", "quiet"), ("budgets", "peaks"))
        yield paths, "quiet and the peaks with 0 moves cover the day, no move could ever start; leave some time free"


def _idle_peaks(facts: Facts) -> Iterator[Clash]:
    budgets = facts.policy.budgets
    for index, peak in enumerate(budgets.peaks):
        path: KeyPath = ("budgets", "peaks", index)
        span = windows.show_window(peak.window)
        if _inside(peak, budgets.quiet):
            yield (
                (path, ("budgets", "quiet")),
                f"{span} lies inside the quiet windows of {_quiet_lines(facts, peak)}, where no move starts anyway; "
                "remove it, or shorten quiet",
            )
        elif peak.moves >= budgets.total and peak.bandwidth == 1.0:
            total = ("budgets", "total")
            yield (
                (path, total),
                f"{span} changes nothing: moves {peak.moves} is not less than {facts.name(total)}, and bandwidth is "
                "100 %; lower one of them",
            )


def _inside(peak: Peak, quiet: tuple[Window, ...]) -> bool:
    """Is each minute of the peak quiet anyway, in each zone it is meant for?"""
    span = windows.minutes(peak.window)
    if not peak.window.zones:
        return span <= _covered(w for w in quiet if not w.zones)
    return all(span <= _covered(w for w in quiet if not w.zones or zone in w.zones) for zone in peak.window.zones)


def _covered(spans: Iterable[Window]) -> frozenset[int]:
    return frozenset().union(*(windows.minutes(span) for span in spans))


def _quiet_lines(facts: Facts, peak: Peak) -> str:
    """`line 4`, `lines 4, 5`: of the quiet windows that meet the peak."""
    span = windows.minutes(peak.window)
    found = {
        facts.document.line(("budgets", "quiet", index))
        for index, window in enumerate(facts.policy.budgets.quiet)
        if span & windows.minutes(window)
    }
    return f"line{'s' if len(found) > 1 else ''} {', '.join(str(line) for line in sorted(found))}"


_CHECKS: tuple[Callable[[Facts], Iterator[Clash]], ...] = (
    _thresholds,
    _idle_limits,
    _bandwidths,
    _calm,
    _slots,
    _weights,
    _exclusions,
    _quiet_all_day,
    _idle_peaks,
)
