"""What Nova would only find out after it has said yes: checked before a move is asked for, in few calls."""

from dataclasses import dataclass

from watari.drivers.openstack.calls import Calls
from watari.drivers.openstack.groups import one_group
from watari.drivers.openstack.hosts import Hosts
from watari.drivers.openstack.placement import Placement
from watari.drivers.openstack.servers import Seen, Servers
from watari.errors import Refused
from watari.model.compute import HostName, Server, ServerGroup, ServerId
from watari.ports import MigrationKind

# nova.compute.api: check_instance_state of live_migrate, resize and evacuate.
STATES: dict[MigrationKind, tuple[str, ...]] = {
    "live": ("ACTIVE", "PAUSED"),
    "cold": ("ACTIVE", "SHUTOFF"),
    "evacuation": ("ACTIVE", "SHUTOFF", "ERROR"),
}
VERBS: dict[MigrationKind, str] = {"live": "migrated live", "cold": "migrated cold", "evacuation": "evacuated"}


@dataclass(frozen=True, slots=True)
class Checks:
    """From 2.34 on Nova judges a target only after its 202, and a refusal then costs a failed migration."""

    calls: Calls
    servers: Servers
    hosts: Hosts
    placement: Placement

    def before(self, id: ServerId, target: HostName | None, kind: MigrationKind) -> Seen:
        """The server, if nothing is seen against its move. Raises Refused with the reason.

        Calls: server, service of the source, of the target, Placement; with a group two or three more.
        """
        seen = self.servers.show(id)
        if why := self._state(seen, kind) or self._source(seen, kind):
            raise Refused(why)
        if target is not None and (why := self._target(seen, target) or self._room(seen, target)):
            raise Refused(why)
        return seen

    def choose(self, seen: Seen) -> HostName | None:
        """Where to evacuate to within the zone; None: Nova's scheduler keeps it there by itself.

        A server that was booted without naming a zone is tied to none: Nova would take it to any. Raises Refused when
        no host of the zone can take it.
        """
        if seen.tied or not seen.zone:
            return None
        candidates = self.hosts.names(self.placement.with_room(seen.resources, seen.server.name))
        chosen = next((host for host in candidates if not self._target(seen, host)), None)
        if chosen is None:
            raise Refused(f"no host of zone {seen.zone} is up and has room for {seen.server.name}")
        return chosen

    def _state(self, seen: Seen, kind: MigrationKind) -> str:
        server = seen.server
        if not server.host:
            return f"{server.name} is {server.status} and on no host"
        if seen.task or server.status == "MIGRATING":
            return f"{server.name} is busy ({seen.task or 'migrating'}); wait until that is over"
        if server.status not in STATES[kind]:
            return f"{server.name} is {server.status}; only {' and '.join(STATES[kind])} servers can be {VERBS[kind]}"
        if kind == "live" and server.pinned_by:
            return f"{server.name} cannot be migrated live: it holds {server.pinned_by}"
        return ""

    def _source(self, seen: Seen, kind: MigrationKind) -> str:
        host = seen.server.host
        source = self.hosts.service(host)
        down = source is None or source.state == "down"
        if kind == "evacuation":
            cure = f"wait until Nova sees it down, or `openstack compute service set --down {host} nova-compute`"
            return "" if down else f"Nova takes host {host} for up and evacuates only what is on dead hosts; {cure}"
        return f"its host {host} is down; nothing can be copied from it" if down else ""

    def _target(self, seen: Seen, target: HostName) -> str:
        server, there = seen.server, self.hosts.service(target)
        if there is None:
            return f"cloud {self.calls.cloud} has no compute host {target}"
        if target == server.host:
            return f"{server.name} is on {target} already"
        if there.state != "up":
            note = f" ({there.note})" if there.note else ""
            return f"{target} is {there.state}{note}; choose a host that is up"
        if seen.zone and there.zone != seen.zone:
            return f"{target} is in zone {there.zone}, {server.name} is in {seen.zone}; choose a host of its zone"
        if server.aggregates and (lacking := server.aggregates - self.hosts.labels(target)):
            return f"{target} is not in the aggregate {', '.join(sorted(lacking))} that {server.name} needs"
        for group in filter(None, (one_group(self.calls, id) for id in seen.groups or ())):
            if why := self._group(server, group, target):
                return why
        return ""

    def _group(self, server: Server, group: ServerGroup, target: HostName) -> str:
        """The strict policies; the soft ones never refuse."""
        others = group.members - {server.id}
        if not others or group.policy not in ("affinity", "anti-affinity"):
            return ""
        there = [s for s in self.servers.all(host=target) if s.id in others]
        if group.policy == "anti-affinity" and there:
            return f"{there[0].name} of the anti-affinity group {group.name} is on {target}"
        if group.policy == "affinity" and not there and (other := self.servers.locate(min(others))) and other.host:
            return f"{other.name} of the affinity group {group.name} is on {other.host}, not on {target}"
        return ""

    def _room(self, seen: Seen, target: HostName) -> str:
        if not seen.resources:
            return ""
        provider = self.hosts.provider(target)
        if provider is None:
            return f"{target} has no hypervisor yet; is its nova-compute new?"
        why = self.placement.why_not(provider, seen.resources, target, seen.server.name)
        if why and (fresh := self.hosts.provider(target, fresh=True)) and fresh != provider:
            return self.placement.why_not(fresh, seen.resources, target, seen.server.name)
        return why
