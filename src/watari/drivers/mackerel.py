"""Loads of servers from Mackerel: what the agents inside them report once a minute.

API: https://mackerel.io/api-docs/; what the metrics are: mackerel-agent, metrics/linux/cpuusage.go.
"""

import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from watari.drivers.config import CLOSED, Address, File, Seconds, Word, read_section, secret_of
from watari.drivers.gauges import Surroundings
from watari.drivers.rest import Rest
from watari.errors import BadInput, Permanent, Transient, WatariError
from watari.model.compute import Server, ServerId
from watari.model.readings import Reading, Told, estimated_load
from watari.model.reasons import Finding

LOG: Final = logging.getLogger(__name__)
ATTEMPTS: Final = 3
BATCH: Final = 200  # hosts in one request: no limit is documented, and its address has 4,000 characters
THREADS: Final = 4
HOSTS_S: Final = 300.0  # so long the list of hosts is kept: thousands of them are megabytes
SETTLE_S: Final = 180.0  # the agents report minutes, and a value may be a minute old when it comes
SKEW_S: Final = 60.0  # a guest's clock may be so far ahead
# Parts of all CPUs' time in percent of one CPU: together 100 × the number of CPUs.
BUSY: Final = ("user", "nice", "system", "irq", "softirq", "guest")
PARTS: Final = (*BUSY, "iowait", "idle", "steal")
STEAL: Final = "cpu.steal.percentage"
MOST_STEAL: Final = 1.05

NO_HOST: Final = "no host there is called like it"
TWO: Final = "several hosts or servers are called like it"
NO_VALUES: Final = "its agent reports neither steal nor load"
NO_STEAL: Final = "its agent reports no steal"
NO_CPUS: Final = "its number of CPUs is not known"
AHEAD: Final = "its clock is ahead"
ODD: Final = "its steal is more than there was time"
UNHEARD: Final = "the request for it failed"


def _by(text: str) -> str:
    kinds = ("name", "display-name", "custom-identifier")
    if text not in kinds and not (text.startswith("metadata:") and len(text) > len("metadata:")):
        raise ValueError(
            "write name or display-name (hosts are called like servers), custom-identifier (it is the server's id) or "
            "metadata:KEY (that key of the server holds the host's id)"
        )
    return text


@dataclass(frozen=True, slots=True, config=CLOSED)
class MackerelSettings:
    """`service`, `roles`: only hosts of these. The key is in a variable of the environment or in a file."""

    url: Address = "https://api.mackerelio.com"
    api_key_env: Word = "MACKEREL_APIKEY"
    api_key_file: File | None = None
    servers_by: Annotated[str, AfterValidator(_by)] = "name"
    service: Word | None = None
    roles: tuple[Word, ...] = ()
    load: Literal["loadavg1", "loadavg5", "loadavg15"] = "loadavg5"
    timeout: Annotated[Seconds, Field(ge=1, le=120)] = 20
    ca_file: File | None = None


class MackerelGauge:
    """Steal and load as the guests themselves see them. One request for all hosts, one for each 200 of them.

    mackerel-agent writes percent × CPUs: steal is divided by 100 × CPUs, and the load average by CPUs. How many CPUs a
    guest has follows from the parts of its time, which together are 100 × CPUs; else from what its agent told of it.
    """

    settle_s = SETTLE_S

    def __init__(self, name: str, settings: MackerelSettings, around: Surroundings) -> None:
        self.name, self._settings, self._around = name, settings, around
        verify = settings.ca_file or True
        self._rest = Rest(settings.url, "Mackerel", self._headers, verify, timeout_s=float(settings.timeout))
        self._again = Retrying(
            retry=retry_if_exception_type(Transient), stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.5, max=5), sleep=around.clock.sleep, reraise=True,
        )  # fmt: skip
        self._hosts: tuple[datetime, list[Mapping[str, Any]]] | None = None
        self._names = [self._settings.load, *(f"cpu.{part}.percentage" for part in PARTS)]

    def read(self, servers: Collection[ServerId]) -> Told:
        """Raises Transient (not reachable, 429, 5xx, after three attempts), Refused (the key), BadInput (no key)."""
        if not servers:
            return Told({})
        self._key()  # without one nothing is asked
        hosts = self._all_hosts()
        found, missing = self._matched(servers, hosts)
        values, failed = self._latest(sorted(found.values()))
        if failed:  # a host that is not there any more may be why
            self._hosts = None
        cpus = {str(host.get("id")): len((host.get("meta") or {}).get("cpu") or ()) for host in hosts}
        now = self._around.clock.now()
        readings: dict[ServerId, Reading] = {}
        for server, host in found.items():
            if host in failed:
                missing[server] = UNHEARD
                continue
            reading, why = _reading(values.get(host) or {}, self._settings.load, cpus.get(host, 0), now)
            if reading is not None:
                readings[server] = reading
            if why:
                missing[server] = why
        LOG.info("%s: %d of %d servers measured, %d hosts", self.name, len(readings), len(servers), len(hosts))
        return Told(readings, missing, self._findings(failed, len(found)))

    def _all_hosts(self) -> list[Mapping[str, Any]]:
        now = self._around.clock.now()
        if self._hosts is None or (now - self._hosts[0]).total_seconds() > HOSTS_S:
            params: list[tuple[str, str]] = [("status", s) for s in ("working", "standby", "maintenance")]
            if self._settings.service:
                params += [("service", self._settings.service), *(("role", role) for role in self._settings.roles)]
            answer = self._again(self._rest.ask, "GET", "/api/v0/hosts", "list its hosts", params=params)
            rows = answer.get("hosts") if isinstance(answer, Mapping) else None
            if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
                raise Permanent(f"Mackerel ({self._settings.url}) gives an answer without `hosts`; is `url` its API's?")
            self._hosts = now, [row for row in rows if not row.get("isRetired")]
        return self._hosts[1]

    def _matched(
        self, servers: Collection[ServerId], hosts: Collection[Mapping[str, Any]]
    ) -> tuple[dict[ServerId, str], dict[ServerId, str]]:
        """Host's id of each server, or why it has none. A name that is there twice means nobody."""
        known, by = self._around.servers(), self._settings.servers_by
        named: dict[str, set[str]] = {}
        for host in hosts:
            for word in _words_of(host, by):
                named.setdefault(word, set()).add(str(host["id"]))
        called = {id: _word_of(known[id], by) if id in known else "" for id in servers}
        twice: dict[str, int] = {}
        for server in known.values():  # whoever is asked about: a name that two servers have is nobody's
            twice[_word_of(server, by)] = twice.get(_word_of(server, by), 0) + 1
        found: dict[ServerId, str] = {}
        missing: dict[ServerId, str] = {}
        for id, word in called.items():
            ids = named.get(word, set()) if word else set()
            if not ids:
                missing[id] = NO_HOST
            elif len(ids) > 1 or twice[word] > 1:
                missing[id] = TWO
            else:
                found[id] = next(iter(ids))
        return found, missing

    def _latest(self, hosts: list[str]) -> tuple[dict[str, Any], dict[str, WatariError]]:
        """Newest values by host, and those that could not be asked for. Raises when none could."""
        parts = [hosts[at : at + BATCH] for at in range(0, len(hosts), BATCH)]
        values: dict[str, Any] = {}
        failed: dict[str, WatariError] = {}
        with ThreadPoolExecutor(THREADS, "mackerel") as pool:
            for part, answer in zip(parts, pool.map(self._batch, parts), strict=True):
                if isinstance(answer, WatariError):
                    failed |= dict.fromkeys(part, answer)
                else:
                    values |= answer
        if failed and len(failed) == len(hosts):
            raise next(iter(failed.values()))
        return values, failed

    def _batch(self, hosts: list[str]) -> Mapping[str, Any] | WatariError:
        params = [("hostId", host) for host in hosts] + [("name", name) for name in self._names]
        try:
            answer = self._again.copy()(self._rest.ask, "GET", "/api/v0/tsdb/latest", "read values", params=params)
        except WatariError as e:
            return e
        rows = answer.get("tsdbLatest") if isinstance(answer, Mapping) else None
        if not isinstance(rows, Mapping):
            return Permanent(f"Mackerel ({self._settings.url}) gives an answer without `tsdbLatest`")
        return rows

    def _findings(self, failed: Mapping[str, WatariError], asked: int) -> tuple[Finding, ...]:
        if not failed:
            return ()
        text = f"values of {len(failed):,} of {asked:,} hosts could not be read: {next(iter(failed.values()))}"
        return (Finding(self.name, "meter-partial", text),)

    def _headers(self) -> Mapping[str, str]:
        return {"X-Api-Key": self._key()}

    def _key(self) -> str:
        """Read anew each time. Raises BadInput that says where it is looked for, and never what is there."""
        s = self._settings
        key = secret_of(os.environ.get(s.api_key_env), s.api_key_file, f"{self._around.where}.api_key_file")
        place = s.api_key_file or f"the environment variable {s.api_key_env}"
        if not key:
            raise BadInput(f"{self._around.where}: {place} holds no API key of Mackerel; one that may read is enough")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise BadInput(f"{self._around.where}: {place} does not hold one API key on one line")
        return key


def _reading(row: Mapping[str, Any], load: str, told_cpus: int, now: datetime) -> tuple[Reading | None, str]:
    """What the newest values of one host say, and why not all of it."""
    values = {name: value for name, value in row.items() if _usable(value)}
    if STEAL not in values and load not in values:
        return None, NO_VALUES
    parts = {part: _number(values, f"cpu.{part}.percentage") for part in PARTS}
    cpus = _cpus(parts) or told_cpus
    if not cpus:
        return None, NO_CPUS
    used = [value for part in BUSY if (value := parts[part]) is not None]
    at = min(datetime.fromtimestamp(values[name]["time"], UTC) for name in values if name in (STEAL, load))
    if (at - now).total_seconds() > SKEW_S:
        return None, AHEAD
    steal = None if parts["steal"] is None else parts["steal"] / 100 / cpus
    if steal is not None and steal > MOST_STEAL:
        return None, ODD
    average = _number(values, load)
    demand = None if parts["steal"] is None or not used else (sum(used) + parts["steal"]) / 100
    estimated = average is None
    per_vcpu = average / cpus if average is not None else None if demand is None else estimated_load(demand, cpus)
    reading = Reading(
        min(at, now), None if steal is None else min(steal, 1.0), per_vcpu, demand, "guest", "guest", estimated
    )
    return reading, "" if steal is not None else NO_STEAL


def _cpus(parts: Mapping[str, float | None]) -> int:
    """From the parts of all its CPUs' time, if the essential ones are there: they make 100 for each CPU."""
    if any(parts[part] is None for part in ("user", "system", "idle", "steal")):
        return 0
    return round(sum(value for value in parts.values() if value is not None) / 100)


def _usable(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(
        isinstance(n := value.get(key), int | float) and not isinstance(n, bool) and isfinite(n) and n >= 0
        for key in ("time", "value")
    )


def _number(values: Mapping[str, Any], name: str) -> float | None:
    return float(values[name]["value"]) if name in values else None


def _words_of(host: Mapping[str, Any], by: str) -> Iterator[str]:
    """By what a host of Mackerel can be called: with and without its domain."""
    match by:
        case "custom-identifier":
            yield str(host.get("customIdentifier") or "").lower()
        case "name" | "display-name":
            name = _hostname(str(host.get("displayName" if by == "display-name" else "name") or ""))
            yield name
            if "." in name:
                yield name.partition(".")[0]
        case _:
            yield str(host["id"])


def _word_of(server: Server, by: str) -> str:
    if by == "custom-identifier":
        return server.id.lower()
    return server.metadata.get(by.removeprefix("metadata:"), "") if ":" in by else _hostname(server.name)


def _hostname(name: str) -> str:
    """As Nova makes a host name of a server's name: small letters, `-` for what may not be in it."""
    return re.sub(r"[ _]", "-", name.strip().lower())


def open_gauge(name: str, section: Mapping[str, Any], around: Surroundings) -> MackerelGauge:
    settings = read_section(MackerelSettings, section, around.where, "servers_by: name")
    if settings.roles and not settings.service:
        raise BadInput(f"{around.where}.roles: roles are a service's: name `service`, too")
    return MackerelGauge(name, settings, around)
