"""Loads of servers out of a Prometheus: at most six queries a cycle, however many servers there are."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from watari.drivers.gauges import Surroundings
from watari.drivers.prometheus.api import Answer, PrometheusApi, QueryRejected
from watari.drivers.prometheus.join import NOTHING, VALUES, Cycle, Found, Values
from watari.drivers.prometheus.queries import Quantity, union
from watari.drivers.prometheus.report import WORDS, Report
from watari.drivers.prometheus.settings import PrometheusSettings, read_settings
from watari.errors import BadInput
from watari.model.compute import Load, ServerId
from watari.model.readings import Reading, Told
from watari.ports import Clock

LOG: Final = logging.getLogger(__name__)
SCRAPES_S: Final = 60.0  # a few scrape intervals: how old the newest sample commonly is
Take = Callable[[Cycle, Collection[ServerId], Report], dict[ServerId, Found]]


class PrometheusMeter:
    """The `Meter` port. Hosts' metrics win over guests'; what is not known of a whole window is absent, never zero.

    `last_report` says what the last cycle that came to an end found and what it did not.
    """

    def __init__(self, settings: PrometheusSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._api = PrometheusApi(settings, clock)
        self.last_report: Report | None = None

    def loads(self, servers: Collection[ServerId]) -> Mapping[ServerId, Load]:
        """Loads of those of `servers` that Prometheus knows in full.

        `at` is, by our clock, the newest sample of the side (host or guest) that is furthest behind. Raises Transient
        (not reachable, busy), Permanent (sign-in, address, certificates, size) and BadInput (PromQL, by its name).
        """
        return self._measure(servers, Cycle.loads)

    def readings(self, servers: Collection[ServerId]) -> Mapping[ServerId, Reading]:
        """The same of all servers of which anything is known. Raises like `loads`."""
        return self._measure(servers, Cycle.readings)

    def _measure(self, servers: Collection[ServerId], take: Take[Found]) -> dict[ServerId, Found]:
        report = Report(asked=len(servers))
        started = self._clock.now()
        seen = self._ask("seen", None, report)
        if seen.at_s is None:  # nobody is known, so there is nothing more to ask but since when
            report.missing = dict.fromkeys(servers, "unseen")
            found: dict[ServerId, Found] = {}
        else:
            report.skew_s = seen.at_s - started.timestamp()
            found = take(self._cycle(seen.at_s, seen.values, started, report), servers, report)
        if "unseen" in report.missing.values():
            self._tell_apart(report, seen.at_s)
        report.found = len(found)
        report.oldest_s = max(((started - load.at).total_seconds() for load in found.values()), default=0.0)
        for warning in report.warnings:
            LOG.warning("%s warns: %s", self._settings.url, warning)
        LOG.info("%s: %s", self._settings.url, report.summary())
        self.last_report = report
        return found

    def _cycle(self, at_s: float, seen: Values, started: datetime, report: Report) -> Cycle:
        """All quantities as of one moment, by Prometheus' own clock: no other can be compared with its samples."""
        ages_s = {side: {server: max(0.0, at_s - t) for server, t in times.items()} for side, times in seen.items()}
        told = {quantity: self._ask(quantity, at_s, report).values for quantity in VALUES}
        return Cycle(**told, ages_s=ages_s, started=started)

    def _tell_apart(self, report: Report, at_s: float | None) -> None:
        """Whether servers without metrics never had any, had some until a while ago, or have had some only recently."""
        last = self._ask("last", at_s, report)
        newest = {**last.values["guest"], **last.values["host"]}
        for server, why in report.missing.items():
            if why == "unseen" and server in newest and last.at_s is not None:
                silent_s = last.at_s - newest[server] - 60  # a minute is how far apart `last` looks
                report.missing[server] = "stopped" if silent_s > self._settings.window / 2 else "young"

    def _ask(self, quantity: Quantity, at_s: float | None, report: Report) -> Answer:
        """One quantity of all servers and both sides."""
        expressions = self._settings.expressions(quantity)
        if not expressions:
            return Answer(values={side: {} for side in NOTHING})
        report.queries += 1
        try:
            answer = self._api.ask(union(expressions), at_s)
        except QueryRejected as e:
            raise self._which(quantity, at_s, e) from e
        report.series += answer.series
        report.odd += answer.odd
        report.warnings = tuple(dict.fromkeys(report.warnings + answer.warnings))
        if answer.unlabelled:
            names = ", ".join(f"{name}={value}" for name, value in sorted(answer.example.items())) or "no label at all"
            report.unlabelled[quantity] = f"name no server ({answer.unlabelled:,} of {answer.series:,}), but: {names}"
        return answer

    def _which(self, quantity: Quantity, at_s: float | None, error: QueryRejected) -> BadInput:
        """The same error with the name of the query that is wrong: both sides were asked in one."""
        expressions = self._settings.expressions(quantity)
        for side, text in expressions.items():
            try:
                self._api.ask(union({side: text}), at_s)
            except QueryRejected as e:
                return BadInput(
                    f"{self._settings.url} rejects the query {side}.{quantity}: {e}; write another one under "
                    f"prometheus.queries.{side}.{quantity}. It is:\n{text}"
                )
        names = " and ".join(f"{side}.{quantity}" for side in expressions)
        return BadInput(f"{self._settings.url} takes {names} one by one, but not both together: {error}")


class PrometheusGauge:
    """The same as one of several meters: what the host or the guest does not tell another meter may know."""

    def __init__(self, name: str, settings: PrometheusSettings, clock: Clock) -> None:
        self.name, self.settle_s = name, settings.window + SCRAPES_S
        self._meter = PrometheusMeter(settings, clock)

    def read(self, servers: Collection[ServerId]) -> Told:
        """Raises like `PrometheusMeter.loads`."""
        readings = self._meter.readings(servers)
        report = self._meter.last_report
        assert report is not None
        missing = {server: WORDS[why] for server, why in report.missing.items()}
        return Told(readings, missing, tuple(replace(finding, subject=self.name) for finding in report.remarks()))


def open_gauge(name: str, section: Mapping[str, Any], around: Surroundings) -> PrometheusGauge:
    return PrometheusGauge(name, read_settings(section, around.where), around.clock)
