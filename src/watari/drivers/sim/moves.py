"""The book of moves: which are taken, what becomes of their servers, and how the cloud tells it afterwards."""

from collections import deque
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np

from watari.drivers.sim.admission import Held, why_it_stays, why_not_there
from watari.drivers.sim.contention import FloatArray
from watari.drivers.sim.copies import Copies
from watari.drivers.sim.faults import Faults
from watari.drivers.sim.fleet import Fleet
from watari.drivers.sim.migration import Copy
from watari.errors import Refused, Transient
from watari.model.compute import Flight, HostName, PastMove, Server, ServerGroup, ServerId
from watari.ports import Migration, MigrationId, MigrationKind

RECORD_S = 86400.0  # how long ended moves are remembered
WHILE_IT_COPIES: dict[MigrationKind, str] = {"live": "MIGRATING", "cold": "RESIZE", "evacuation": "REBUILD"}


class Moves:
    """Every move under way, waiting to be confirmed, or ended within RECORD_S.

    A server has its place at both ends until its move is over. `copies` is what copies now.
    """

    def __init__(self, fleet: Fleet, faults: Faults, link_mib_s: FloatArray, start: datetime) -> None:
        self.copies = Copies(link_mib_s)
        self.past: deque[PastMove] = deque()
        self._fleet = fleet
        self._faults = faults
        self._start = start
        self._known: dict[MigrationId, Copy] = {}  # oldest request first
        self._waiting: list[Copy] = []  # to be confirmed or reverted
        self._asked = 0

    # What somebody asks for

    def request(
        self, kind: MigrationKind, server: ServerId, target: HostName | None, t_s: float, cap_mib_s: float | None = None
    ) -> MigrationId:
        """Begin a move. `target` None: the zone's host with the most free memory. Raises Refused."""
        fleet = self._fleet
        self._faults.refuse(server, target)
        number, goal = fleet.server_number.get(server), None if target is None else fleet.host_number.get(target)
        if number is None or not fleet.is_there(server):
            raise Refused(f"the cloud has no server {server}")
        if goal is None and target is not None:
            raise Refused(f"the cloud has no host {target}")
        value, source, held = fleet.server(number), int(fleet.host_of[number]), self._held()
        if why := why_it_stays(kind, value, fleet.host(source), held):
            raise Refused(why)
        if goal is None:
            goal = self._shelter(number, held)
        elif why := self._why_not_there(number, goal, held):
            raise Refused(why)
        self._asked += 1
        id, broken = MigrationId(f"sim-{self._asked:06d}"), self._faults.break_of(server)
        disk_mib = 0.0 if kind == "evacuation" else value.local_disk_gib * 1024.0
        memory_mib = float(value.memory_mib) if kind == "live" else 0.0
        copy = Copy(
            id, number, source, goal, disk_mib, memory_mib, cap_mib_s, t_s,
            broken.at if broken else None, broken.text if broken else "", kind, value.status,
        )  # fmt: skip
        self._known[id] = copy
        self.copies.begin(copy)
        fleet.put(number, WHILE_IT_COPIES[kind], running=False if kind == "cold" else None)
        return id

    def abort(self, id: MigrationId, t_s: float) -> None:
        """Raises Refused unless it is a live move that still copies."""
        copy = self[id]
        if copy.kind != "live":
            raise Refused(f"migration {id} is no live migration ({copy.kind}); only those can be aborted")
        if not copy.under_way:
            raise Refused(f"migration {id} is {copy.phase}; only one that still copies can be aborted")
        copy.end(t_s, "aborted")
        self.share(t_s)

    def force(self, id: MigrationId, t_s: float) -> None:
        """What is left is the last of it. Raises Refused for what is over, Transient before memory is copied."""
        copy = self[id]
        if copy.kind != "live" or not copy.under_way:
            raise Refused(f"migration {id} is {copy.phase}; there is nothing to hasten")
        if copy.phase not in ("memory", "stop"):
            raise Transient(f"migration {id} is {copy.phase}; it can be hastened once memory is copied")
        copy.phase = "stop"

    def limit(self, id: MigrationId, mib_s: float, t_s: float) -> None:
        """Copy at that rate at most from now on; nothing for what copies no more."""
        self[id].cap_mib_s = mib_s
        self.share(t_s)

    def confirm(self, id: MigrationId, t_s: float) -> None:
        """Raises Refused unless it waits for that."""
        self._decide(self._waits(id), "done", t_s)

    def revert(self, id: MigrationId, t_s: float) -> None:
        """Raises Refused unless it waits for that and its source is there."""
        copy = self._waits(id)
        source = self._fleet.host(copy.source)
        if source.state == "down":
            raise Refused(f"migration {id} cannot be reverted: its source {source.name} is down")
        self._decide(copy, "aborted", t_s)

    # What happens as time passes

    def turn(self, t_s: float, got: FloatArray) -> None:
        """Let happen what is due at `t_s`. `got`: cores per server."""
        self._record(self.copies.turn(t_s, got))

    def share(self, t_s: float) -> None:
        """Share the links anew, and record what copies no more."""
        self._record(self.copies.share(t_s))

    def lose(self, host: int, t_s: float) -> None:
        """The host is gone: moves to and from it fail, and leave servers where they were."""
        why = f"{self._fleet.host_names[host]} went down"
        for copy in self.copies.under_way:
            if host == copy.target or (host == copy.source and copy.kind != "evacuation"):
                copy.end(t_s, "failed", why)
        self.share(t_s)
        for copy in [copy for copy in self._waiting if copy.target == host]:
            self._decide(copy, "failed", t_s, why)

    def drop(self, servers: frozenset[int], t_s: float, why: str) -> None:
        """These servers' moves fail: they are deleted, or somebody else takes them elsewhere."""
        for copy in self.copies.under_way:
            if copy.server in servers:
                copy.end(t_s, "failed", why)
        self.share(t_s)
        for copy in [copy for copy in self._waiting if copy.server in servers]:
            self._decide(copy, "failed", t_s, why)

    def forget(self, t_s: float) -> None:
        """Drop what is over for longer than RECORD_S."""
        before_s = t_s - RECORD_S
        while self.past and self.past[0].ended < self._at(before_s):
            self.past.popleft()
        old = [id for id, copy in self._known.items() if copy.ended_s is not None and copy.ended_s < before_s]
        for id in old:
            del self._known[id]

    # What the cloud tells

    def __getitem__(self, id: MigrationId) -> Copy:
        """Raises Refused for an id that is not known."""
        copy = self._known.get(id)
        if copy is None:
            raise Refused(f"the cloud knows no migration {id}")
        return copy

    def newest(self, kind: MigrationKind, server: ServerId, target: HostName, since: datetime) -> Copy | None:
        """The newest that was asked for at or after `since`; evacuations wherever they go."""
        number, goal = self._fleet.server_number.get(server), self._fleet.host_number.get(target)
        for copy in reversed(self._known.values()):
            is_it = copy.kind == kind and copy.server == number and (kind == "evacuation" or copy.target == goal)
            if is_it and self._at(copy.started_s) >= since:
                return copy
        return None

    def flights(self) -> tuple[Flight, ...]:
        """What is under way. One that waits to be confirmed is not: its server counts at the target already."""
        ids, names = self._fleet.server_ids, self._fleet.host_names
        return tuple(
            Flight(ids[copy.server], names[copy.source], names[copy.target], self._at(copy.started_s))
            for copy in self.copies.under_way
        )

    def report(self, copy: Copy, t_s: float) -> Migration:
        ids, names = self._fleet.server_ids, self._fleet.host_names
        return Migration(
            id=MigrationId(copy.id), server=ids[copy.server], source=names[copy.source], target=names[copy.target],
            started=self._at(copy.started_s), status="memory" if copy.phase == "stop" else copy.phase,
            done_mib=copy.copied_by(t_s), total_mib=copy.total_mib, rate_mib_s=copy.rate_mib_s,
            error=copy.error if copy.phase == "failed" else "", kind=copy.kind,
        )  # fmt: skip

    # State between two processes

    def to_state(self) -> dict[str, Any]:
        """For JSON."""
        moves = [copy.to_state() for copy in self._known.values()]
        return {"asked": self._asked, "moves": moves, "uncharged": self.copies.uncharged()}

    def restore(self, state: dict[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError when it is not a state of such moves."""
        self._asked = int(state["asked"])
        copies = [Copy.from_state(move) for move in state["moves"]]
        self._known = {MigrationId(copy.id): copy for copy in copies}
        self._waiting = [copy for copy in copies if copy.phase == "confirm"]
        self.copies.restore([copy for copy in copies if copy.under_way], state["uncharged"])
        ended = [copy for copy in copies if copy.ended_s is not None]
        self.past = deque(self._past_move(copy) for copy in sorted(ended, key=lambda copy: (copy.ended_s, copy.id)))

    # Who may come

    def _held(self) -> Held:
        ids, names = self._fleet.server_ids, self._fleet.host_names
        held = {ids[copy.server]: names[copy.target] for copy in self.copies.under_way}
        return held | {ids[copy.server]: names[copy.source] for copy in self._waiting}

    def _why_not_there(self, server: int, target: int, held: Held) -> str:
        fleet, value, name = self._fleet, self._fleet.server(server), self._fleet.host_names[target]
        there = fleet.on(target)
        there += [fleet.server(fleet.server_number[id]) for id, host in held.items() if host == name]
        groups = [(group, self._members(group)) for group in fleet.spec.groups if value.id in group.members]
        return why_not_there(value, fleet.hosts[name], fleet.hosts[value.host], there, groups, held)

    def _members(self, group: ServerGroup) -> list[Server]:
        known, there = self._fleet.server_number, self._fleet.is_there
        return [self._fleet.server(known[member]) for member in sorted(group.members) if there(member)]

    def _shelter(self, server: int, held: Held) -> int:
        """The host of the server's zone with the most free memory that takes it. Raises Refused."""
        fleet = self._fleet
        taken = np.where(fleet.absent, 0.0, fleet.spec.memory_mib)
        used = np.bincount(fleet.host_of, weights=taken, minlength=len(fleet.host_names))
        for id, host in held.items():
            used[fleet.host_number[host]] += fleet.spec.memory_mib[fleet.server_number[id]]
        zone, source = fleet.host(int(fleet.host_of[server])).zone, int(fleet.host_of[server])
        near = [k for k in range(len(fleet.host_names)) if k != source and fleet.host(k).zone == zone]
        near.sort(key=lambda k: (used[k] - fleet.host(k).memory_mib, fleet.host_names[k]))
        for k in near:
            if not self._why_not_there(server, k, held):
                return k
        why = self._why_not_there(server, near[0], held) if near else "it has no other host"
        raise Refused(f"no host of zone {zone} takes {fleet.server(server).name}; the emptiest: {why}")

    # What becomes of servers

    def _waits(self, id: MigrationId) -> Copy:
        copy = self[id]
        if copy.phase != "confirm":
            word = "is under way" if copy.under_way else f"is {copy.phase}"
            raise Refused(f"migration {id} {word}; only a cold one that has arrived waits to be confirmed or reverted")
        return copy

    def _decide(self, copy: Copy, phase: Literal["done", "failed", "aborted"], t_s: float, error: str = "") -> None:
        copy.end(t_s, phase, error)
        self._waiting.remove(copy)
        self._record([copy])

    def _record(self, copies: list[Copy]) -> None:
        for copy in copies:
            self._settle(copy)
            if copy.phase == "confirm":
                self._waiting.append(copy)
            else:
                self.past.append(self._past_move(copy))

    def _settle(self, copy: Copy) -> None:
        """What the server is, and where, now that its move has stopped copying or was decided on."""
        put, server, ran = self._fleet.put, copy.server, copy.before == "ACTIVE"
        match copy.kind, copy.phase:
            case "live", "done":
                put(server, copy.before, host=copy.target)
            case "cold", "confirm":
                put(server, "VERIFY_RESIZE", host=copy.target, running=ran)
            case "cold", "aborted":
                put(server, copy.before, host=copy.source)
            case "cold", _:
                put(server, copy.before, running=ran)
            case "evacuation", "done":
                put(server, "SHUTOFF", host=copy.target, running=False)  # Nova starts it no more since API 2.95
            case _:
                put(server, copy.before)

    def _past_move(self, copy: Copy) -> PastMove:
        ids, names = self._fleet.server_ids, self._fleet.host_names
        ended = self._at(copy.ended_s or 0.0)
        return PastMove(ids[copy.server], names[copy.source], names[copy.target], ended, copy.phase == "done")

    def _at(self, t_s: float) -> datetime:
        return self._start + timedelta(seconds=t_s)
