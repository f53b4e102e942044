"""What a cycle of metering found and what it did not: counts to log, findings to show."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from watari.model.compute import ServerId
from watari.model.reasons import Finding, Severity

Why = Literal["unseen", "stopped", "young", "no_steal", "no_cpu"]

SUBJECT: Final = "prometheus"
SKEW_S: Final = 30.0
_SHOWN: Final = 5

_MISSING: Final[Mapping[Why, tuple[str, str]]] = {
    "unseen": (
        "have no metrics (those that are off have none)",
        "Does the exporter run on their hosts, and do `preset`, `labels` and `match` name its metrics?",
    ),
    "stopped": (
        "sent metrics a while ago and no more",
        "Look at the exporters on their hosts and at `up` in Prometheus.",
    ),
    "young": (
        "have no metrics of a whole window yet",
        "They have just started or moved, or a scrape was missed. If it stays so, make `window` four scrape intervals.",
    ),
    "no_steal": (
        "have CPU time but no steal (those that are off have none)",
        "libvirt tells vCPU delay from 7.2 on, some exporters never do; a node exporter in the guests tells steal.",
    ),
    "no_cpu": ("have metrics, but no CPU time or no number of vCPUs", "Look at the queries `used` and `vcpus`."),
}


WORDS: Final[Mapping[Why, str]] = {  # the same of one server, beside what other meters say of it
    "unseen": "no metrics",
    "stopped": "metrics until a while ago",
    "young": "no metrics of a whole window yet",
    "no_steal": "CPU time but no steal",
    "no_cpu": "no CPU time or no number of vCPUs",
}


@dataclass(slots=True)
class Report:
    """One cycle. `missing` says of every server without a load why; the counts are of servers with one."""

    asked: int = 0
    found: int = 0
    guest_steal: int = 0  # no delay from the host: steal is what the guest says
    estimated_load: int = 0  # no load average from the guest: derived from demand
    missing: dict[ServerId, Why] = field(default_factory=dict)
    oldest_s: float = 0.0  # age of the oldest value
    skew_s: float = 0.0  # how far Prometheus' clock is ahead of ours; what the answer took is in it
    queries: int = 0
    series: int = 0
    odd: int = 0  # values left out: negative, no number, impossible
    unlabelled: dict[str, str] = field(default_factory=dict)  # query -> what its series without a server's id have
    warnings: tuple[str, ...] = ()

    def missing_by_reason(self) -> dict[Why, int]:
        """How many servers are without a load, and why."""
        return dict(Counter(self.missing.values()))

    def summary(self) -> str:
        """One line for the log."""
        gone = (
            ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in self.missing_by_reason().items()) or "none missing"
        )
        return (
            f"{self.found} of {self.asked} servers measured ({gone}); {self.guest_steal} with guests' own steal, "
            f"{self.estimated_load} with estimated load; {self.queries} queries, {self.series} series, "
            f"oldest value {self.oldest_s:.0f} s"
        )

    def findings(self) -> tuple[Finding, ...]:
        """What a person should look at; empty when every server is measured in full."""
        found = [self._missing(why, count) for why, count in self.missing_by_reason().items()]
        found += self.remarks()
        if self.guest_steal:
            found.append(_finding("guest-steal", f"{self.guest_steal:,} servers' steal is what they say themselves",
                                  "There is no vCPU delay from their hosts.", "info"))  # fmt: skip
        if self.estimated_load:
            found.append(_finding("estimated-load", f"{self.estimated_load:,} servers' load is estimated from demand",
                                  "A node exporter in the guests tells the real one.", "info"))  # fmt: skip
        return tuple(found)

    def remarks(self) -> list[Finding]:
        """What is to be seen in the answers themselves, whoever else measures these servers."""
        found = []
        for query, text in self.unlabelled.items():
            found.append(_finding("label", f"series of `{query}` {text}", "Set `labels` to the exporter's names."))
        if self.odd:
            found.append(
                _finding("odd", f"{self.odd:,} values are negative, no number or impossible; they are left out",
                         "Is a counter in another unit than seconds?")
            )  # fmt: skip
        if abs(self.skew_s) > SKEW_S:
            found.append(
                _finding("skew", f"Prometheus' clock is {self.skew_s:+.0f} s off this machine's; ages allow for it",
                         "Look at NTP on both.")
            )  # fmt: skip
        found += [_finding("warning", f"Prometheus warns: {text}") for text in self.warnings]
        return found

    def _missing(self, why: Why, count: int) -> Finding:
        words, cure = _MISSING[why]
        named = sorted(server for server, reason in self.missing.items() if reason == why)[:_SHOWN]
        more = ", …" if count > _SHOWN else ""
        return _finding(
            why.replace("_", "-"), f"{count:,} of {self.asked:,} servers {words}: {', '.join(named)}{more}", cure
        )


def _finding(code: str, text: str, cure: str = "", severity: Severity = "warning") -> Finding:
    return Finding(SUBJECT, f"meter-{code}", text, severity, cure)
