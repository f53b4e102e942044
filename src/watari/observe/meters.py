"""Ask several meters at once and put together what they say; one that is away does not blind the others."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from watari.errors import Transient, WatariError
from watari.model.compute import Load, ServerId
from watari.model.readings import QUANTITIES, Combined, Disagreement, Quantity, Rule, Told, Word, combine
from watari.model.reasons import Finding, Severity
from watari.plan.text import format_duration, percent
from watari.ports import Clock, Gauge

LOG: Final = logging.getLogger(__name__)
SUBJECT: Final = "meters"
_SHOWN: Final = 5
_WORST: Final = 3  # disagreements that are told with all their values
_NAMES: Final[Mapping[Quantity, str]] = {"steal": "steal", "load": "load per vCPU", "demand": "CPU demand"}


class Meters:
    """The `Meter` port over one gauge or more, in the order of configuration. `findings` are of the last asking.

    `off`: a server that does not run has no load, which is nothing to be told.
    """

    def __init__(
        self, gauges: Sequence[Gauge], rule: Rule, clock: Clock, off: Callable[[ServerId], bool] = lambda server: False
    ) -> None:
        self.gauges, self.rule, self.clock, self.off = tuple(gauges), rule, clock, off
        self.findings: tuple[Finding, ...] = ()

    @property
    def settle_s(self) -> float:
        """So long after a move every meter's values are of after the move."""
        return max((gauge.settle_s for gauge in self.gauges), default=0.0)

    def loads(self, servers: Collection[ServerId]) -> Mapping[ServerId, Load]:
        """Loads of the servers of which steal, load and demand are known to some meter.

        Raises what the meters raise when all of them are away: Transient if one of them may come back by itself.
        """
        self.findings = ()
        answers = self._ask(servers)
        told = {name: answer for name, answer in answers.items() if isinstance(answer, Told)}
        away = {name: answer for name, answer in answers.items() if isinstance(answer, WatariError)}
        if away and not told:
            raise next((e for e in away.values() if isinstance(e, Transient)), next(iter(away.values())))
        said = [(name, answer.readings) for name, answer in told.items()]
        combined = combine(servers, said, self.clock.now(), self.rule)
        why = {name: answer.missing for name, answer in told.items()}
        self.findings = (
            *(_away(name, error) for name, error in away.items()),
            *_lacking(combined, why, tuple(away), len(servers), self.off),
            *_stale(combined, self.rule, len(servers)),
            *_disagreeing(combined.disagreements, self.rule, len(servers)),
            *(finding for answer in told.values() for finding in answer.findings),
            *_used(combined),
        )
        LOG.info("%d of %d servers measured by %s", len(combined.loads), len(servers), ", ".join(told))
        return combined.loads

    def _ask(self, servers: Collection[ServerId]) -> dict[str, Told | WatariError]:
        if len(self.gauges) == 1:
            return {self.gauges[0].name: _told(self.gauges[0], servers)}
        with ThreadPoolExecutor(max(1, len(self.gauges)), "meter") as pool:
            answers = pool.map(lambda gauge: _told(gauge, servers), self.gauges)
            return dict(zip((gauge.name for gauge in self.gauges), answers, strict=True))


def _told(gauge: Gauge, servers: Collection[ServerId]) -> Told | WatariError:
    try:
        return gauge.read(servers)
    except WatariError as e:
        LOG.warning("meter %s: %s", gauge.name, e)
        return e


def _away(name: str, error: WatariError) -> Finding:
    again = "It is asked again next time." if isinstance(error, Transient) else ""
    return _finding(name, "away", f"{error}; nothing is known from {name} now, the other meters are used", again)


def _lacking(
    combined: Combined,
    why: Mapping[str, Mapping[ServerId, str]],
    away: tuple[str, ...],
    asked: int,
    off: Callable[[ServerId], bool],
) -> list[Finding]:
    """Servers without a load, by what is lacking and what each meter says to that."""
    groups: dict[tuple[tuple[Quantity, ...], str], list[ServerId]] = {}
    for server, quantities in combined.lacking.items():
        if off(server):
            continue
        reasons = [f"{name}: {text}" for name, missing in why.items() if (text := missing.get(server))]
        reasons += [f"{name} does not answer" for name in away]
        groups.setdefault((quantities, "; ".join(reasons) or "no meter knows it"), []).append(server)
    found = []
    for (quantities, reason), servers in sorted(groups.items(), key=lambda group: -len(group[1])):
        what = "load" if quantities == QUANTITIES else " or ".join(_NAMES[q] for q in quantities)
        text = f"{_of(servers, asked)} have no known {what}: {reason} ({_listed(servers)})"
        help = "Unknown is never taken for idle: they are not moved, and their hosts receive nothing."
        found.append(_finding(SUBJECT, "missing", text, help))
    return found


def _stale(combined: Combined, rule: Rule, asked: int) -> list[Finding]:
    if not combined.stale:
        return []
    text = f"the newest values of {_of(combined.stale, asked)} are older than {format_duration(rule.stale_after_s)}"
    help = "Values older than the policy's detect.stale_after are not acted on."
    return [_finding(SUBJECT, "stale", f"{text} ({_listed(combined.stale)})", help)]


def _disagreeing(all_: tuple[Disagreement, ...], rule: Rule, asked: int) -> list[Finding]:
    found = []
    for quantity, limit in (("steal", f"{100 * rule.tolerance:.0f} points"), ("load", f"{rule.load_tolerance:g}")):
        apart = sorted((d for d in all_ if d.quantity == quantity), key=lambda d: -d.spread)
        if apart:
            text = f"meters disagree on {_NAMES[apart[0].quantity]} of {_of(apart, asked)} by more than {limit}: "
            more = f"; and {len(apart) - _WORST} more" if len(apart) > _WORST else ""
            help = "Do they measure the same server, in the same unit, over windows of about one length?"
            found.append(_finding(SUBJECT, "disagree", text + "; ".join(map(_apart, apart[:_WORST])) + more, help))
    return found


def _apart(d: Disagreement) -> str:
    values = ", ".join(_value(d.quantity, word) for word in (d.taken, *d.others))
    return f"{d.server}: {values}; taken is {d.taken.meter}'s"


def _value(quantity: Quantity, word: Word) -> str:
    number = percent(word.value) if quantity == "steal" else f"{word.value:.2f}"
    return f"{word.meter} {number} ({word.kind}, {format_duration(max(0.0, word.age_s))} old)"


def _used(combined: Combined) -> list[Finding]:
    """Which meter how many loads come from."""
    texts = []
    for quantity in QUANTITIES:
        counts = Counter({(meter, kind): n for (q, meter, kind), n in combined.used.items() if q == quantity})
        whose = ", ".join(f"{n:,} {meter} ({kind})" for (meter, kind), n in counts.most_common())
        texts += [f"{_NAMES[quantity]}: {whose}"] if whose else []
    return [_finding(SUBJECT, "sources", "; ".join(texts), severity="info")] if texts else []


def _of(some: Collection[object], asked: int) -> str:
    return f"{len(some):,} of {asked:,} servers"


def _listed(servers: Sequence[ServerId]) -> str:
    return ", ".join(servers[:_SHOWN]) + (", …" if len(servers) > _SHOWN else "")


def _finding(subject: str, code: str, text: str, help: str = "", severity: Severity = "warning") -> Finding:
    return Finding(subject, f"meter-{code}", text, severity, help)
