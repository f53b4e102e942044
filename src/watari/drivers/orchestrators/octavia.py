"""Octavia: a server's members get weight 0 in every pool, and their own weight back."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass as plain
from itertools import islice
from typing import Any, Final

from keystoneauth1 import adapter
from keystoneauth1 import exceptions as ks
from pydantic.dataclasses import dataclass

from watari.drivers.config import CLOSED, Seconds, read_section
from watari.drivers.openstack.errors import of_exception, of_response
from watari.drivers.orchestrators.marks import listed, marked, packed, unpacked
from watari.drivers.orchestrators.opening import Surroundings
from watari.errors import BadInput, Permanent, Refused, Transient
from watari.model.compute import Server, ServerId
from watari.ports import Standing

TAG: Final = "watari:was="  # of a member: the weight that it had (API 2.5)
FIT: Final = ("ONLINE", "NO_MONITOR")
AT_ONCE: Final = 40  # addresses in one question
PAGE: Final = 500


@dataclass(frozen=True, slots=True, config=CLOSED)
class OctaviaSettings:
    """`settle`: how long sessions are left to end after the weight is 0; Octavia counts none per member."""

    settle: Seconds = 30
    timeout: Seconds = 30


@plain(frozen=True, slots=True)
class Place:
    """A member of a pool."""

    pool: str
    id: str
    row: Mapping[str, Any]

    @property
    def weight(self) -> int:
        return int(self.row.get("weight") or 0)

    @property
    def before(self) -> int | None:
        """The weight that it had when we took it out; None if we did not."""
        tags = (tag for tag in self.row.get("tags") or () if tag.startswith(TAG))
        return next((int(tag.removeprefix(TAG)) for tag in tags), None)


def open_orchestrator(name: str, section: Mapping[str, Any], around: Surroundings) -> "Octavia":
    settings = read_section(OctaviaSettings, section, around.where, "kind: octavia")
    if around.session is None:
        raise BadInput(f"{around.where}: Octavia is a service of an OpenStack cloud, which this is not")
    return Octavia(name, settings, around)


class Octavia:
    """The balancers of the same cloud. A member is called by its server's id."""

    def __init__(self, name: str, settings: OctaviaSettings, around: Surroundings) -> None:
        self.name, self._settings, self._clock = name, settings, around.clock
        self._balancers, self._networks = (
            adapter.Adapter(around.session, service_type=kind, region_name=around.region)
            for kind in ("load-balancer", "network")
        )
        self._places: dict[str, list[tuple[str, str]]] = {}  # server -> pool and member
        self._since: dict[str, float] = {}  # server -> when its weight was first seen to be 0 by us, in Unix time

    def members(self, servers: Collection[Server]) -> Mapping[ServerId, str]:
        """A call for the pools, one per pool, and one per 40 addresses."""
        wanted = {str(s.id) for s in servers}
        self._look()
        return {ServerId(id): id for id in self._places if id in wanted}

    def standing(self, member: str, was: str = "") -> Standing | None:
        places = self._of(member)
        if not places:
            return None
        before = unpacked(was)
        out = [p for p in places if p.weight == 0]
        ours = [p for p in out if p.before is not None]
        missing = [p for p in out if before.get("weights", {}).get(p.id, 1) > 0]
        sick = [p for p in places if p.weight > 0 and p.row["operating_status"] not in FIT]
        sick = [p for p in sick if p.id not in before.get("sick", ())]
        note = listed([p.pool for p in missing], "pool") and f"weight 0 in {listed([p.pool for p in missing], 'pool')}"
        health = ", ".join(f"{p.row['operating_status']} in pool {p.pool}" for p in sick)
        is_out = len(out) == len(places)
        left = self._settling(member) if is_out and ours else ""
        if not is_out:
            self._since.pop(member, None)
        return Standing(is_out, not missing and not sick, bool(ours) and is_out, left, note or health)

    def was(self, member: str) -> str:
        places = self._of(member)
        weights = {p.id: p.weight if p.before is None else p.before for p in places}
        sick = [p.id for p in places if p.weight > 0 and p.row["operating_status"] not in FIT]
        return packed({"weights": weights, "sick": sick})

    def why_not(self, member: str) -> str:
        """A pool whose last fit member it is."""
        for pool in {p.pool for p in self._of(member)}:
            rows = self._members(pool)
            ours = {id for p, id in self._places.get(member, ()) if p == pool}
            fit = [row["id"] for row in rows if (row.get("weight") or 0) > 0 and row["operating_status"] in FIT]
            if ours & set(fit) and not set(fit) - ours:
                return f"it is the last fit member of pool {pool}"
        return ""

    def detach(self, member: str, reason: str) -> None:
        places = self._of(member)
        if not places:
            raise Permanent(f"Octavia {self.name} has no member on server {member}")
        for place in (p for p in places if p.weight > 0):
            tags = [*self._tags(place), f"{TAG}{place.weight}"]
            self._put(place, {"weight": 0, "tags": tags})

    def attach(self, member: str, was: str) -> None:
        weights = unpacked(was).get("weights", {})
        for place in (p for p in self._of(member) if p.before is not None):
            self._put(place, {"weight": weights.get(place.id, place.before), "tags": self._tags(place)})

    def left_out(self) -> Mapping[str, str]:
        """A call for the pools and one per pool."""
        self._look()
        out = {id: self._of(id) for id in self._places}
        reason = marked("its weight was taken away for a move")
        return {id: reason for id, places in out.items() if any(p.before is not None for p in places)}

    # What it is asked

    def _look(self) -> None:
        """Find out which server each member of each pool is: by its address, on its subnet."""
        rows = [(pool["id"], m) for pool in self._list("pools") for m in self._members(pool["id"])]
        servers = self._servers({m["address"] for _, m in rows})
        places: dict[str, list[tuple[str, str]]] = {}
        for pool, m in rows:
            for (address, subnet), server in servers.items():
                if address == m["address"] and m.get("subnet_id") in (None, subnet):
                    places.setdefault(server, []).append((pool, m["id"]))
        self._places = places  # at once: others act by it meanwhile

    def _servers(self, addresses: Iterable[str]) -> dict[tuple[str, str], str]:
        """Server ids by address and subnet."""
        found: dict[tuple[str, str], str] = {}
        rest = iter(sorted(addresses))
        while some := list(islice(rest, AT_ONCE)):
            query = "&".join(f"fixed_ips=ip_address%3D{address}" for address in some)
            answer = self._ask(self._networks, "GET", f"/v2.0/ports?{query}", "find whose addresses its members have")
            for port in answer["ports"]:
                if str(port.get("device_owner", "")).startswith("compute:"):
                    found |= {(ip["ip_address"], ip["subnet_id"]): port["device_id"] for ip in port["fixed_ips"]}
        return found

    def _of(self, member: str) -> list[Place]:
        if member not in self._places:
            self._look()
        pools = {pool for pool, _ in self._places.get(member, ())}
        rows = {(pool, row["id"]): row for pool in pools for row in self._members(pool)}
        return [Place(*at, rows[at]) for at in self._places.get(member, ()) if at in rows]

    def _members(self, pool: str) -> list[dict[str, Any]]:
        try:
            return self._list(f"pools/{pool}/members", "members")
        except _Missing:
            return []

    def _list(self, path: str, key: str = "") -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        url: str | None = f"/v2/lbaas/{path}?limit={PAGE}"
        key = key or path
        while url:
            answer = self._ask(self._balancers, "GET", url, f"list its {key}")
            rows += answer[key]
            links = {link["rel"]: link["href"] for link in answer.get(f"{key}_links", ())}
            url = links["next"][links["next"].index("/v2/lbaas") :] if "next" in links else None
        return rows

    def _put(self, place: Place, change: dict[str, Any]) -> None:
        """A balancer that is being changed already answers 409: it can be asked again soon."""
        path = f"/v2/lbaas/pools/{place.pool}/members/{place.id}"
        try:
            self._ask(self._balancers, "PUT", path, f"change a member of pool {place.pool}", {"member": change})
        except Refused as e:
            if "immutable" not in str(e):
                raise
            raise Transient(str(e)) from e

    def _ask(self, service: adapter.Adapter, method: str, url: str, what: str, body: Any = None) -> Any:
        who = f"{self.name}'s user"
        try:
            response = service.request(url, method, json=body, raise_exc=False, timeout=float(self._settings.timeout))
        except ks.ClientException as e:
            raise of_exception(e, what, self.name, "") from e
        if response.status_code == 404:
            raise _Missing(f"Octavia {self.name} cannot {what}: 404")
        if response.status_code >= 400:
            raise of_response(response, what, self.name, who)
        return response.json() if response.content else None

    def _tags(self, place: Place) -> list[str]:
        return [tag for tag in place.row.get("tags") or () if not tag.startswith(TAG)]

    def _settling(self, member: str) -> str:
        now = self._clock.now().timestamp()
        left_s = self._settings.settle - (now - self._since.setdefault(member, now))
        return f"sessions may last for {left_s:.0f} s yet" if left_s > 0 else ""


class _Missing(Refused):
    """404."""
