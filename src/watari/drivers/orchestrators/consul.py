"""Consul: maintenance mode on the node's own agent, and no service or quorum that ends by it."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, model_validator
from pydantic.dataclasses import dataclass

from watari.drivers.config import CLOSED, Address, File, Seconds, Secret, Word, read_section, secret_of
from watari.drivers.orchestrators.marks import is_ours, marked, packed, unpacked
from watari.drivers.orchestrators.names import called
from watari.drivers.orchestrators.opening import Surroundings
from watari.drivers.rest import Missing, Rest
from watari.errors import Permanent, Transient
from watari.model.compute import Server, ServerId
from watari.ports import Standing

MAINTENANCE: Final = "_node_maintenance"
PASSING: Final = "passing"
LAG_S: Final = 30.0  # an agent tells the servers of its checks at its leisure


def _by(text: str) -> str:
    if text != "name" and not (text.startswith("meta:") and len(text) > len("meta:")):
        raise ValueError("write name (nodes are called like servers) or meta:KEY (that key holds the server's id)")
    return text


@dataclass(frozen=True, slots=True, config=CLOSED)
class ConsulSettings:
    """`agent`: where a node's own agent answers, with {address} and {node} in it; the catalog is asked at `address`.

    `settle`: how long clients may go on using what DNS told them. `keep`: so many passing instances of each of its
    services have to be left on other nodes.
    """

    address: Address = "http://127.0.0.1:8500"
    agent: Word = "http://{address}:8500"
    token: Secret | None = None
    token_file: File | None = None
    ca_file: File | None = None
    cert_file: File | None = None
    key_file: File | None = None
    servers_by: Annotated[str, AfterValidator(_by)] = "name"
    settle: Seconds = 10
    keep: int = 1
    timeout: Seconds = 10

    @model_validator(mode="after")
    def _consistent(self) -> "ConsulSettings":
        if self.token and self.token_file:
            raise ValueError("write one of token and token_file")
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file go together")
        return self


def open_orchestrator(name: str, section: Mapping[str, Any], around: Surroundings) -> "Consul":
    settings = read_section(ConsulSettings, section, around.where, "address: http://127.0.0.1:8500")
    return Consul(name, settings, around)


class Consul:
    """One datacenter. Its API: https://developer.hashicorp.com/consul/api-docs (agent, catalog, health, status)."""

    def __init__(self, name: str, settings: ConsulSettings, around: Surroundings) -> None:
        self.name, self._settings, self._clock = name, settings, around.clock
        self._catalog = self._rest(settings.address, f"Consul {name}")
        self._told: dict[str, float] = {}  # node -> when its agent was told of our maintenance, in Unix time
        self._since: dict[str, float] = {}  # node -> when it was first seen in our maintenance, in Unix time

    def members(self, servers: Collection[Server]) -> Mapping[ServerId, str]:
        """One call, however many nodes there are."""
        by_id, by_name = {str(s.id): [s.id] for s in servers}, called(servers)
        found: dict[ServerId, str] = {}
        for node in self._ask("/v1/catalog/nodes", "list its nodes") or ():
            by = self._settings.servers_by
            key = node["Node"] if by == "name" else (node.get("Meta") or {}).get(by.removeprefix("meta:"), "")
            for id in (by_name if by == "name" else by_id).get(key, ()):
                found[id] = node["Node"]
        return found

    def standing(self, member: str, was: str = "") -> Standing | None:
        checks = self._checks(member)
        if checks is None:
            return None
        failed_before = set(unpacked(was).get("failing", ()))
        maintenance = next((c for c in checks if c["CheckID"] == MAINTENANCE), None)
        if maintenance is not None:
            ours = is_ours(maintenance.get("Notes"))
            left = self._settling(member) if ours else ""
            note = f"in maintenance: {maintenance.get('Notes') or 'no reason given'}"
            return Standing(out=True, serving=False, ours=ours, left=left, note=note)
        if self._clock.now().timestamp() - self._told.get(member, 0.0) < LAG_S:  # the catalog follows the agent
            return Standing(out=True, serving=False, ours=True, left="the catalog does not show it yet")
        self._since.pop(member, None)
        failing = {c["CheckID"]: c for c in checks if c["Status"] != PASSING and c["CheckID"] not in failed_before}
        note = ", ".join(f"{c.get('ServiceName') or c['Name']} is {c['Status']}" for c in failing.values())
        return Standing(out=False, serving=not failing, note=note)

    def was(self, member: str) -> str:
        failing = [c["CheckID"] for c in self._checks(member) or () if c["Status"] != PASSING]
        return packed({"failing": sorted(set(failing) - {MAINTENANCE})})

    def why_not(self, member: str) -> str:
        """Its part in the servers' quorum first, then every service that it offers."""
        whys = (self._last(member, service) for service in self._services(member))
        return self._quorum(member) or next(filter(None, whys), "")

    def detach(self, member: str, reason: str) -> None:
        standing = self.standing(member)
        if standing is None:
            raise Permanent(f"Consul {self.name} has no node {member}")
        if standing.out:  # ours: nothing more to ask; somebody else's: theirs
            return
        self._maintain(member, "enable", {"enable": "true", "reason": marked(reason)})
        self._told[member] = self._clock.now().timestamp()

    def attach(self, member: str, was: str) -> None:
        standing = self.standing(member)
        if standing is None:
            raise Transient(f"Consul {self.name} has no node {member} just now")
        if standing.ours or (not standing.out and is_ours(self._own_note(member))):
            self._maintain(member, "disable", {"enable": "false"})
        self._told.pop(member, None)

    def left_out(self) -> Mapping[str, str]:
        """One call."""
        rows = self._ask("/v1/health/state/critical", "list what is critical") or ()
        return {r["Node"]: r["Notes"] for r in rows if r["CheckID"] == MAINTENANCE and is_ours(r.get("Notes"))}

    # What it is asked

    def _checks(self, member: str) -> list[dict[str, Any]] | None:
        """The checks of a node; None if there is no such node."""
        checks: list[dict[str, Any]] = self._ask(f"/v1/health/node/{member}", f"tell how {member} is") or []
        return checks if checks or self._node(member) is not None else None

    def _node(self, member: str) -> dict[str, Any] | None:
        answer = self._ask(f"/v1/catalog/node/{member}", f"tell what {member} offers")
        return answer if answer and answer.get("Node") else None

    def _services(self, member: str) -> list[str]:
        node = self._node(member) or {}
        services = (node.get("Services") or {}).values()
        return sorted({s["Service"] for s in services if s.get("Kind", "") == "" and s["Service"] != "consul"})

    def _last(self, member: str, service: str) -> str:
        """Why a service cannot do without its instance on this node; one that does not pass there is no loss."""
        rows = self._ask(f"/v1/health/service/{service}?passing=true", f"tell who offers {service}") or ()
        others, keep = sum(row["Node"]["Node"] != member for row in rows), self._settings.keep
        if others >= keep or len(rows) == others:
            return ""
        return f"only {others} of {len(rows)} passing instances of {service} would be left, {keep} are to be kept"

    def _quorum(self, member: str) -> str:
        """Why a node that is one of Consul's servers must not pause now."""
        node = self._node(member)
        peers = self._ask("/v1/status/peers", "tell its servers") or ()
        address = (node or {}).get("Node", {}).get("Address")
        if address is None or not any(peer.rpartition(":")[0].strip("[]") == address for peer in peers):
            return ""
        health = self._ask("/v1/operator/autopilot/health", "tell how its servers are (operator:read)") or {}
        if health.get("FailureTolerance", 0) >= 1:
            return ""
        return f"it is one of {len(peers)} Consul servers, and their quorum bears no failure now"

    def _maintain(self, member: str, verb: str, params: dict[str, str]) -> None:
        """On the node's own agent: what is written to the catalog alone is overwritten by that agent."""
        node = self._node(member)
        if node is None:
            raise Transient(f"Consul {self.name} has no node {member} just now")
        self._agent(node, member).ask("PUT", "/v1/agent/maintenance", f"{verb} maintenance mode", params=params)

    def _own_note(self, member: str) -> str:
        """Why its own agent holds it in maintenance, which the catalog learns a moment later; empty: it does not."""
        node = self._node(member)
        if node is None:
            return ""
        checks = self._agent(node, member).ask("GET", "/v1/agent/checks", "tell its own checks") or {}
        return str(checks.get(MAINTENANCE, {}).get("Notes") or "")

    def _agent(self, node: Mapping[str, Any], member: str) -> Rest:
        address = node["Node"]["Address"]
        bracketed = f"[{address}]" if ":" in address else address
        url = self._settings.agent.format(address=bracketed, node=member)
        return self._rest(url, f"the agent of {member} ({self.name})")

    def _settling(self, member: str) -> str:
        now = self._clock.now().timestamp()
        left_s = self._settings.settle - (now - self._since.setdefault(member, now))
        return f"DNS answers may be used for {left_s:.0f} s yet" if left_s > 0 else ""

    def _ask(self, path: str, what: str) -> Any:
        try:
            return self._catalog.ask("GET", path, what)
        except Missing:
            return None

    def _rest(self, url: str, who: str) -> Rest:
        s = self._settings

        def headers() -> Mapping[str, str]:
            token = secret_of(s.token, s.token_file, self.name)
            return {"X-Consul-Token": token} if token else {}

        cert = (s.cert_file, s.key_file) if s.cert_file and s.key_file else None
        return Rest(url, who, headers, s.ca_file or True, cert, float(s.timeout))
