"""How a server can leave its host: live, cold, or not at all and why."""

from dataclasses import dataclass
from typing import Literal

from watari.jobs.placement.standing import Ban, Standing
from watari.model.compute import Server
from watari.model.reasons import Reason
from watari.plan.text import count, gib
from watari.policy.values import Drain, Policy

How = Literal["live", "cold"]
WISHES = ("live", "cold", "leave")

# Nova's server states that cannot be migrated (compute API, "server status"), and what makes them movable.
STATES = {
    "ERROR": ("error", "Mend it (openstack server set --state active, or a hard reboot), then plan again."),
    "PAUSED": ("paused", "Unpause it, then it moves live."),
    "SUSPENDED": ("suspended", "Resume it, then it moves live."),
    "SHELVED": ("shelved", "Offload it (openstack server shelve --offload): then nothing of it is on the host."),
    "SHELVED_OFFLOADED": ("shelved", "Nothing of it runs on the host; unshelving starts it elsewhere."),
    "RESCUE": ("rescue", "Unrescue it, then it moves live."),
    "BUILD": ("building", "Wait until it is built, then plan again."),
    "REBUILD": ("building", "Wait until it is rebuilt, then plan again."),
    "REBOOT": ("rebooting", "Wait until it is up, then plan again."),
    "HARD_REBOOT": ("rebooting", "Wait until it is up, then plan again."),
    "VERIFY_RESIZE": ("resized", "Confirm or revert its resize, then plan again."),
    "REVERT_RESIZE": ("resized", "Wait until its resize is reverted, then plan again."),
    "SOFT_DELETED": ("deleted", "Restore it, or let it be deleted for good."),
    "DELETED": ("deleted", "Wait until the cloud has removed it."),
}
OFF = ("SHUTOFF", "STOPPED")
ON_THE_MOVE = ("MIGRATING", "RESIZE")


@dataclass(frozen=True, slots=True)
class Way:
    """The server can leave, `how` and on whose word; `stops`: it runs and is down while it moves."""

    how: How
    reasons: tuple[Reason, ...]
    stops: bool = False


def way_out(standing: Standing, policy: Policy, s: int) -> Way | Ban:
    """How server `s` leaves its host. Rest after moves is no reason to stay: a host in trouble does not wait."""
    server, key = standing.world.servers[s], policy.drain.wish_metadata_key
    wish = server.metadata.get(key, "").strip().lower() if key else ""
    found = (
        _state(standing, server)
        or _wanted_here(standing, policy, s, wish)
        or _kept_together(standing, s)
        or _too_large(server, policy.drain)
        or (_off(policy.drain, wish) if server.status in OFF else _running(server, policy.drain, wish))
    )
    if isinstance(found, Way) and found.how == "cold" and server.no_cold:
        cure = "Start it, then it moves live." if server.status in OFF else "Stop it, and start it elsewhere by hand."
        return Ban("no-cold", f"can only go cold, and cannot: {server.no_cold}", cure)
    return found


def _state(standing: Standing, server: Server) -> Ban | None:
    if server.id in standing.flying:
        flight = next(f for f in standing.world.snapshot.flights if f.server == server.id)
        return Ban("moving", f"is on its way to {flight.target} already", "Plan again if that fails.")
    if server.status in ON_THE_MOVE:
        return Ban("moving", f"is {server.status}: the cloud moves it already", "Plan again when that is over.")
    if server.status == "ACTIVE" or server.status in OFF:
        return None
    code, cure = STATES.get(server.status, ("status", "Bring it to ACTIVE or SHUTOFF, then plan again."))
    return Ban(code, f"is {server.status}; only ACTIVE and SHUTOFF servers can be moved", cure)


def _wanted_here(standing: Standing, policy: Policy, s: int, wish: str) -> Ban | None:
    """Wishes of the owner and of the policy; a wish about drains says more than a pin, which is about balancing too."""
    key = policy.drain.wish_metadata_key
    if ban := standing.exclusion(s):
        return ban
    if wish and wish not in WISHES:
        return Ban("wish", f"its wish is not understood ({key}={wish})", f"Set {key} to live, cold or leave.")
    if wish == "leave":
        return Ban("wish", f"its owner wants it left here ({key}=leave)", "Ask its owner, who may stop or replace it.")
    if not wish and (ban := standing.pin(s)):
        more = f" Or set {key} to live or cold: it says what drains may do." if key else ""
        return Ban(ban.code, ban.why, ban.help + more)
    return None


def _kept_together(standing: Standing, s: int) -> Ban | None:
    # Nova's ServerGroupAffinityFilter passes only hosts where members are: whoever of them goes first is refused.
    if (group := standing.kept_together(s)) is None:
        return None
    others = count(len(group.members) - 1, "other")
    why = f"server group {group.name} (affinity) keeps it with {others}: none of them may go first"
    cure = f"Delete the server group {group.name} (its servers live on), or rebuild them in a soft-affinity one."
    return Ban("affinity", why, cure)


def _too_large(server: Server, drain: Drain) -> Ban | None:
    limit = drain.largest_local_disk_gib
    if limit is None or server.local_disk_gib <= limit:
        return None
    why = f"its local disk of {gib(server.local_disk_gib * 1024)} is over the policy's {gib(limit * 1024)}"
    return Ban("local-disk", why, "Raise drain.largest_local_disk, or move its data to a volume.")


def _off(drain: Drain, wish: str) -> Way | Ban:
    if drain.stopped == "leave" and wish != "cold":
        cure = "Start it, or set drain.stopped to cold."
        return Ban("off", "is off, and the policy leaves those (drain.stopped)", cure)
    return Way("cold", (Reason("off", "it is off, nobody notices"),))


def _running(server: Server, drain: Drain, wish: str) -> Way | Ban:
    if wish == "cold" and (server.pinned_by or not server.no_cold):
        return Way("cold", (Reason("wish", f"its owner allows a stop ({drain.wish_metadata_key}=cold)"),), stops=True)
    if not server.pinned_by:
        return Way("live", ())
    cannot = f"cannot move live: {server.pinned_by}"
    if wish == "live":
        cure = f"Ask its owner to set {drain.wish_metadata_key} to cold: it is stopped, copied and started again."
        return Ban("pinned", f"{cannot}, and its owner allows no stop", cure)
    if drain.pinned == "cold":
        reasons = (Reason("pinned", f"it {cannot}; the policy allows a stop (drain.pinned)"),)
        return Way("cold", reasons, stops=True)
    key = drain.wish_metadata_key
    owner = f", or its owner {key} to cold" if key else ""
    return Ban("pinned", cannot, f"Set drain.pinned to cold{owner}: it is stopped, copied and started again.")
