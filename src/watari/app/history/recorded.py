"""A stretch of a cloud's history, read so that it can be played: who and what there was, then slot after slot."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from watari.act.durable import histories
from watari.act.durable.histories import Kept
from watari.act.durable.store import Store
from watari.app.history.codes import Floats, decode
from watari.app.history.items import Items
from watari.app.history.recorder import read_items
from watari.app.history.slots import (
    LOAD,
    MOST,
    SHARE,
    SLOT_S,
    STEAL,
    STEAL_PEAK,
    WINDOW_S,
    Ints,
    Slot,
    epoch_of,
    slot_of,
    unpack,
    window_of,
)
from watari.drivers.sim.spec import SimSpec
from watari.errors import BadInput, Transient
from watari.model.compute import GroupId, Host, HostName, Server, ServerGroup, ServerId
from watari.plan.text import format_duration

Bools = NDArray[np.bool_]
LEAST_SLOTS: Final = 12  # an hour
DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where a history lies, for any process."""

    url: str = field(repr=False)  # may hold a password
    cloud: str

    def slots(self, store: Store, window: int) -> tuple[list[Slot], int]:
        """The slots of a window in the order of time, and how many pieces of it cannot be read."""
        single = histories.slots_of(store, self.cloud, window, window + WINDOW_S)  # before the window: they go into it
        whole = histories.window(store, self.cloud, window)
        found: dict[int, Slot] = {}
        broken = 0
        for body in (*single.values(), *(() if whole is None else (whole,))):
            try:
                found |= {slot.begin: slot for slot in unpack(body)}
            except ValueError:
                broken += 1
        return [found[begin] for begin in sorted(found)], broken


@dataclass(frozen=True, slots=True)
class Numbering:
    """What the items of one epoch are in the simulated cloud: the numbers of servers and hosts, -1 for other things.

    `up`: hosts that live; `open`: those that also take servers.
    """

    server: Ints
    host: Ints
    up: Bools
    open: Bools


@dataclass(frozen=True, slots=True)
class Frame:
    """One slot for all servers and hosts of the stretch.

    `host`: where each server was, -1: it was not there. `known`: its load was. `steal`, `peak`, `load`: as measured,
    0 where not known. `cores`: what it asked for; where that is not known what it last asked for; 0 of who is not
    there. `up`, `open`: per host.
    """

    begin: int
    looks: int
    host: Ints
    known: Bools
    steal: Floats
    peak: Floats
    load: Floats
    cores: Floats
    up: Bools
    open: Bools

    @property
    def present(self) -> Bools:
        return self.host >= 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stretch of history. `begins`: of its slots. `first_share`: the first known demand of each server, of its vCPUs.

    `changed`: hosts whose size is not what it was; they are played with the size that they had last. `broken`: pieces
    that cannot be read.
    """

    source: Source
    spec: SimSpec
    begins: tuple[int, ...]
    numbering: Mapping[int, Numbering]
    first_share: Floats
    changed: tuple[HostName, ...]
    broken: int

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """Where nobody looked: [begin, end) in seconds since 1970."""
        steps = zip(self.begins, self.begins[1:], strict=False)
        return [(a + SLOT_S, b) for a, b in steps if b > a + SLOT_S]

    def frames(self) -> Iterator[Frame]:
        """Slot after slot; one window is in memory at a time. Raises Transient if some were pruned meanwhile."""
        store = Store(self.source.url)
        cores = self.first_share * self.spec.vcpus
        try:
            for window, wanted in groupby(self.begins, window_of):
                slots = {slot.begin: slot for slot in self.source.slots(store, window)[0]}
                for begin in wanted:
                    if begin not in slots:
                        raise Transient("a part of the history was given up while it was played: ask again")
                    frame = self._frame(slots[begin], cores)
                    cores = np.where(frame.known, frame.cores, cores)
                    yield frame
        finally:
            store.close()

    def _frame(self, slot: Slot, before: Floats) -> Frame:
        numbering, (servers, hosts) = self.numbering[epoch_of(slot.begin)], (self.spec.vcpus.size, len(self.spec.hosts))
        at = numbering.server[slot.servers]
        there = numbering.host[np.array(slot.hosts, np.int64)]
        host = np.full(servers, -1, np.int64)
        host[at] = there[slot.place]
        columns = {}
        for row in (STEAL, STEAL_PEAK, LOAD, SHARE):
            column = np.full(servers, np.nan)
            column[at] = decode(slot.codes[row], MOST[row])
            columns[row] = column
        known = ~np.isnan(columns[SHARE])
        cores = np.where(known, columns[SHARE] * self.spec.vcpus, np.where(host >= 0, before, 0.0))
        up, open_ = np.zeros(hosts, np.bool_), np.zeros(hosts, np.bool_)
        up[there], open_[there] = numbering.up[list(slot.hosts)], numbering.open[list(slot.hosts)]
        steal, peak, load = (np.nan_to_num(columns[row]) for row in (STEAL, STEAL_PEAK, LOAD))
        return Frame(slot.begin, slot.looks, host, known, steal, peak, load, cores, up, open_)


def open_history(store: Store, cloud: str, days: float | None, now: datetime) -> Recorded:
    """The last `days` of a cloud's history, or all of it. What is dated later than now was a clock's mistake.

    Raises BadInput when there is none, or too little, or when it is of another version.
    """
    kept = {one.cloud: one for one in histories.all_kept(store)}
    if (there := kept.get(cloud)) is None:
        others = f"there is one of {', '.join(kept)}" if kept else "`watari serve` keeps it (serve.history)"
        raise BadInput(f"{store.shown} has no history of {cloud}; {others}")
    source = Source(store.url.render_as_string(hide_password=False), cloud)
    last = min(there.last, slot_of(now))
    since = there.first if days is None else last + SLOT_S - days * DAY_S
    reading = _Reading(store, source)
    begins = {*histories.window_begins(store, cloud), *map(window_of, histories.slot_begins(store, cloud))}
    for window in sorted(begins):
        if window + WINDOW_S > since and window <= last:
            reading.read(window, since, last)
    if len(reading.begins) < LEAST_SLOTS:
        raise BadInput(_too_short(there, len(reading.begins), days))
    return reading.recorded()


def _too_short(kept: Kept, slots: int, days: float | None) -> str:
    asked = "" if days is None else f" of the last {format_duration(days * DAY_S)}"
    return (
        f"the history{asked} of {kept.cloud} covers {format_duration(slots * SLOT_S)}; a replay needs at least "
        f"{format_duration(LEAST_SLOTS * SLOT_S)}"
    )


@dataclass(slots=True)
class _Reading:
    """The first way through the stretch: who and what was there, and when."""

    store: Store
    source: Source
    begins: list[int] = field(default_factory=list)
    broken: int = 0
    servers: dict[tuple[str, int, int, int], int] = field(default_factory=dict)  # id and size -> number
    sizes: dict[str, int] = field(default_factory=dict)  # how many sizes a server has had
    latest: list[Server] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    hosts: dict[HostName, Host] = field(default_factory=dict)
    changed: set[HostName] = field(default_factory=set)
    groups: dict[GroupId, ServerGroup] = field(default_factory=dict)
    numbers: dict[int, tuple[Items, Ints]] = field(default_factory=dict)  # epoch -> server of an item; -1: not met

    def read(self, window: int, since: float, last: int) -> None:
        slots, broken = self.source.slots(self.store, window)
        self.broken += broken
        for slot in slots:
            if since <= slot.begin <= last:
                self._meet(slot)

    def _meet(self, slot: Slot) -> None:
        items, number = self._epoch(epoch_of(slot.begin))
        names = [self._meet_host(items.items[k]) for k in slot.hosts]
        for k in slot.groups:
            group = items.items[k]
            assert isinstance(group, ServerGroup)
            self.groups[group.id] = group
        for index in np.flatnonzero(number[slot.servers] < 0).tolist():
            item = items.items[slot.servers[index]]
            assert isinstance(item, Server)
            number[slot.servers[index]] = self._meet_server(item, names[slot.place[index]])
        at, share = number[slot.servers], decode(slot.codes[SHARE], MOST[SHARE])
        for k in np.flatnonzero(~np.isnan(share)).tolist():
            if self.shares[at[k]] < 0:
                self.shares[at[k]] = float(share[k])
        self.begins.append(slot.begin)

    def _epoch(self, epoch: int) -> tuple[Items, Ints]:
        if epoch not in self.numbers:
            try:
                items = read_items(self.store, self.source.cloud, epoch)
            except ValueError as e:
                raise BadInput(f"the history of {self.source.cloud} cannot be read: {e}") from e
            self.numbers[epoch] = items, np.full(len(items.items), -1, np.int64)
        return self.numbers[epoch]

    def _meet_host(self, item: object) -> HostName:
        assert isinstance(item, Host)
        before = self.hosts.get(item.name, item)
        if (before.cpus, before.memory_mib, before.zone) != (item.cpus, item.memory_mib, item.zone):
            self.changed.add(item.name)
        self.hosts[item.name] = item
        return item.name

    def _meet_server(self, item: Server, host: HostName) -> int:
        """The number of a server; one that was resized is another server from then on."""
        key = (item.id, item.vcpus, item.memory_mib, item.local_disk_gib)
        number = self.servers.setdefault(key, len(self.servers))
        if number == len(self.latest):
            self.sizes[item.id] = nth = self.sizes.get(item.id, 0) + 1
            id = item.id if nth == 1 else ServerId(f"{item.id}#{nth}")
            self.latest.append(_played(item, id, host))
            self.shares.append(-1.0)
        else:
            self.latest[number] = _played(item, self.latest[number].id, self.latest[number].host)
        return number

    def recorded(self) -> Recorded:
        hosts = tuple(replace(host, state="up", cpus=host.cpus or 1.0) for host in self.hosts.values())
        index = {host.name: k for k, host in enumerate(hosts)}
        ids: dict[str, list[ServerId]] = {}
        for (id, *_), number in self.servers.items():
            ids.setdefault(id, []).append(self.latest[number].id)
        groups = tuple(
            replace(group, members=frozenset(id for member in group.members for id in ids.get(member, ())))
            for group in self.groups.values()
        )
        spec = SimSpec(self.source.cloud, hosts, tuple(self.latest), groups)
        numbering = {epoch: _numbering(items, number, index) for epoch, (items, number) in self.numbers.items()}
        shares = np.maximum(np.array(self.shares), 0.0)
        changed = tuple(sorted(self.changed))
        return Recorded(self.source, spec, tuple(self.begins), numbering, shares, changed, self.broken)


def _played(item: Server, id: ServerId, host: HostName) -> Server:
    """As the simulated cloud has it: off is one that asks for nothing."""
    return replace(item, id=id, host=host, status="ACTIVE", vcpus=max(1, item.vcpus))


def _numbering(items: Items, number: Ints, index: Mapping[HostName, int]) -> Numbering:
    hosts = [(item if isinstance(item, Host) else None) for item in items.items]
    host = np.array([-1 if item is None else index.get(item.name, -1) for item in hosts], np.int64)
    up = np.array([item is not None and item.state != "down" for item in hosts], np.bool_)
    open_ = np.array([item is not None and item.state == "up" for item in hosts], np.bool_)
    return Numbering(number, host, up, open_)
