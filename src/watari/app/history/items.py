"""Everything that an inventory has had, numbered: a thing that has not changed is kept once, however often it is seen.

A server's host is no part of it, nor is a migration under way: both are told slot by slot. Of its metadata only what
policies ask for is kept: other people's metadata is none of a balancer's business.
"""

import json
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
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
_LEVEL: Final = 6


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
    _seen: dict[ServerId, tuple[Server, int]] = field(default_factory=dict)  # as it was last seen
    _keys: frozenset[str] = frozenset()

    def number(self, snapshot: ComputeSnapshot, keys: frozenset[str]) -> Numbered:
        """The numbers of all that is there. Servers on hosts that the inventory does not have are left out."""
        if keys != self._keys:
            self._seen, self._keys = {}, keys
        hosts = tuple(self._number(host.name, replace(host, state_note="")) for host in snapshot.hosts.values())
        groups = tuple(self._number(group.id, group) for group in snapshot.groups.values())
        index = {name: k for k, name in enumerate(snapshot.hosts)}
        seen: dict[ServerId, tuple[Server, int]] = {}
        numbers, places = [], []
        for server in snapshot.servers.values():
            if (place := index.get(server.host)) is None:
                continue
            before = self._seen.get(server.id)
            if before is None or before[0] != server:
                before = (server, self._number(server.id, _lasting(server, keys)))
            seen[server.id] = before
            numbers.append(before[1])
            places.append(place)
        self._seen = seen
        order = np.argsort(np.array(numbers, np.int64), kind="stable")
        ids = tuple(seen)
        servers, place_of = np.array(numbers, np.int64)[order], np.array(places, np.int64)[order]
        return Numbered(hosts, groups, servers, place_of, tuple(ids[k] for k in order.tolist()))

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
    row = {}
    for one in fields(item):
        value = getattr(item, one.name)
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        if value != default:
            row[one.name] = value
    return row


def _item(kind: str, row: Mapping[str, Any]) -> Item:
    """The item again; fields that this version does not know are passed over."""
    cls: Any = _KINDS[kind]
    known = {one.name for one in fields(cls)}
    sets = ("aggregates", "members")
    made: Item = cls(**{name: frozenset(v) if name in sets else v for name, v in row.items() if name in known})
    return made


def _plain(value: object) -> object:
    if isinstance(value, Iterable):
        return dict(value) if isinstance(value, Mapping) else sorted(map(str, value))
    raise TypeError(f"{value!r} has no JSON form")
