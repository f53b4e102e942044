"""Everything that an inventory has had, numbered: a thing that has not changed is kept once, however often it is seen.

A server's host is no part of it, nor is a migration under way: both are told slot by slot. Of its metadata only what
policies ask for is kept: other people's metadata is none of a balancer's business.
"""

import json
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from itertools import repeat
from operator import attrgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from watari.jobs.placement.world import NOT_RUNNING
from watari.model.compute import ComputeSnapshot, Host, HostName, Server, ServerGroup, ServerId
from watari.policy.values import Policy

Ints = NDArray[np.int64]
Item = Host | Server | ServerGroup
OURS: Final = "watari:"  # metadata under such keys is kept, whatever the policy
_KINDS: Final[dict[str, type[Host] | type[Server] | type[ServerGroup]]] = {
    "host": Host, "server": Server, "group": ServerGroup,
}  # fmt: skip
_NOWHERE: Final = HostName("")
_HOST: Final = attrgetter("host")
_LEVEL: Final = 3


@dataclass(frozen=True, slots=True)
class Numbered:
    """An inventory as numbers of items: hosts, groups, and servers with the index of their host among the hosts."""

    hosts: tuple[int, ...]
    groups: tuple[int, ...]
    servers: Ints
    place: Ints
    ids: tuple[ServerId, ...]  # of `servers`


@dataclass(slots=True)
class Items:
    """The items of one epoch, in the order of their numbers. `kept`: how many of them are in the database."""

    epoch: int
    items: list[Item] = field(default_factory=list)
    kept: int = 0
    _known: dict[tuple[type, str], list[int]] = field(default_factory=dict)
    _hosts: dict[str, tuple[Host, int]] = field(default_factory=dict)  # as they were last seen
    _servers: Mapping[ServerId, Server] = field(default_factory=dict)
    _numbers: dict[ServerId, int] = field(default_factory=dict)  # of those
    _keys: frozenset[str] = frozenset()

    def number(self, snapshot: ComputeSnapshot, keys: frozenset[str]) -> Numbered:
        """The numbers of all that is there. Servers on hosts that the inventory does not have are left out.

        O(servers), and slow only for those that differ from what they were the last time.
        """
        if keys != self._keys:
            self._servers, self._keys = {}, keys
        hosts = tuple(map(self._number_host, snapshot.hosts.values()))
        groups = tuple(self._number(group.id, group) for group in snapshot.groups.values())
        servers, before = snapshot.servers, self._servers.get
        for server in [s for s in servers.values() if (old := before(s.id)) is not s and old != s]:
            self._numbers[server.id] = self._number(server.id, _lasting(server, keys))
        self._servers = servers
        if len(self._numbers) > 2 * len(servers):
            self._numbers = {id: self._numbers[id] for id in servers}
        index = {name: k for k, name in enumerate(snapshot.hosts)}
        numbers = np.fromiter(map(self._numbers.__getitem__, servers), np.int64, len(servers))
        place = np.fromiter(map(index.get, map(_HOST, servers.values()), repeat(-1)), np.int64, len(servers))
        order = np.argsort(numbers, kind="stable")
        order = order[place[order] >= 0]
        ids = tuple(map(tuple(servers).__getitem__, order.tolist()))
        return Numbered(hosts, groups, numbers[order], place[order], ids)

    def fresh(self) -> bytes:
        """The items that are not in the database yet, as bytes; empty without any."""
        rows = [[_name(item), _row(item)] for item in self.items[self.kept :]]
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"), default=_plain)
        return zlib.compress(text.encode(), _LEVEL) if rows else b""

    def add(self, kept: bytes) -> None:
        """Items from the database, in their order. Raises ValueError for bytes that are none."""
        try:
            for kind, row in json.loads(zlib.decompress(kept)):
                item = _item(kind, row)
                self._append(_key(item), item)
        except (zlib.error, TypeError, KeyError) as e:
            raise ValueError(f"{type(e).__name__}: {e}") from e
        self.kept = len(self.items)

    def _number_host(self, host: Host) -> int:
        before = self._hosts.get(host.name)
        if before is None or (before[0] is not host and before[0] != host):
            before = self._hosts[host.name] = (host, self._number(host.name, replace(host, state_note="")))
        return before[1]

    def _number(self, id: str, item: Item) -> int:
        numbers = self._known.get((type(item), id), ())
        for number in reversed(numbers):
            if self.items[number] == item:
                return number
        return self._append((type(item), id), item)

    def _append(self, key: tuple[type, str], item: Item) -> int:
        self.items.append(item)
        self._known.setdefault(key, []).append(len(self.items) - 1)
        return len(self.items) - 1


def metadata_keys(policy: Policy) -> frozenset[str]:
    """The keys of servers' metadata that this policy asks for."""
    named = (policy.roles.metadata_key, policy.exclude.pin_metadata_key, policy.drain.wish_metadata_key)
    return frozenset(filter(None, named))


def _lasting(server: Server, keys: Collection[str]) -> Server:
    """A server without what is told slot by slot, and without what nobody needs."""
    metadata = {key: value for key, value in server.metadata.items() if key in keys or key.startswith(OURS)}
    status = server.status if server.status in NOT_RUNNING else "ACTIVE"
    return replace(server, host=_NOWHERE, status=status, metadata=metadata)


def _key(item: Item) -> tuple[type, str]:
    return type(item), item.name if isinstance(item, Host) else item.id


def _name(item: Item) -> str:
    return next(name for name, kind in _KINDS.items() if isinstance(item, kind))


def _row(item: Item) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    return {name: v for name, default in _DEFAULTS[type(item)] if (v := getattr(item, name)) != default}


def _item(kind: str, row: Mapping[str, Any]) -> Item:
    """The item again; fields that this version does not know are passed over."""
    cls: Any = _KINDS[kind]
    known = {one.name for one in fields(cls)}
    sets = ("aggregates", "members")
    made: Item = cls(**{name: frozenset(v) if name in sets else v for name, v in row.items() if name in known})
    return made


def _defaults(kind: type[Host] | type[Server] | type[ServerGroup]) -> tuple[tuple[str, object], ...]:
    return tuple((f.name, f.default if f.default_factory is MISSING else f.default_factory()) for f in fields(kind))


def _plain(value: object) -> object:
    if isinstance(value, Iterable):
        return dict(value) if isinstance(value, Mapping) else sorted(map(str, value))
    raise TypeError(f"{value!r} has no JSON form")


_DEFAULTS: Final = {kind: _defaults(kind) for kind in _KINDS.values()}
