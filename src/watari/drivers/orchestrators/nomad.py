"""Nomad: a client node is drained by Nomad itself, which moves its allocations, and made eligible again."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from watari.drivers.config import CLOSED, Address, File, Seconds, Secret, Word, read_section, secret_of
from watari.drivers.orchestrators.marks import is_ours, listed, marked, packed, unpacked
from watari.drivers.orchestrators.names import called
from watari.drivers.orchestrators.opening import Surroundings
from watari.drivers.rest import Missing, Rest
from watari.errors import Permanent, Transient
from watari.model.compute import Server, ServerId
from watari.ports import Standing

LIVE: Final = ("pending", "running")
NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, config=CLOSED)
class NomadSettings:
    """`drain_deadline`: after it Nomad itself stops what has not left; 0s: it never does, our own deadline counts."""

    address: Address = "http://127.0.0.1:4646"
    namespace: Word = "*"
    token: Secret | None = None
    token_file: File | None = None
    ca_file: File | None = None
    cert_file: File | None = None
    key_file: File | None = None
    drain_deadline: Seconds = 0
    timeout: Seconds = 10

    @model_validator(mode="after")
    def _consistent(self) -> "NomadSettings":
        if self.token and self.token_file:
            raise ValueError("write one of token and token_file")
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file go together")
        return self


def open_orchestrator(name: str, section: Mapping[str, Any], around: Surroundings) -> "Nomad":
    return Nomad(name, read_section(NomadSettings, section, around.where, "address: http://127.0.0.1:4646"))


class Nomad:
    """One region. Members are called by the node's name, which is the server's: https://developer.hashicorp.com/nomad/api-docs/nodes"""

    def __init__(self, name: str, settings: NomadSettings) -> None:
        self.name, self._settings = name, settings
        cert = (settings.cert_file, settings.key_file) if settings.cert_file and settings.key_file else None

        def headers() -> Mapping[str, str]:
            token = secret_of(settings.token, settings.token_file, name)
            return {"X-Nomad-Token": token} if token else {}

        verify = settings.ca_file or True
        self._api = Rest(settings.address, f"Nomad {name}", headers, verify, cert, float(settings.timeout))
        self._ids: dict[str, str] = {}  # node's name -> its id

    def members(self, servers: Collection[Server]) -> Mapping[ServerId, str]:
        """One call, however many nodes there are."""
        by_name = called(servers)
        return {id: node["Name"] for node in self._nodes() for id in by_name.get(node["Name"], ())}

    def standing(self, member: str, was: str = "") -> Standing | None:
        node = self._node(member)
        if node is None:
            return None
        ready = node["Status"] == "ready"
        if node["SchedulingEligibility"] != "eligible":
            message = _message(node)
            left = listed(self._running(node["ID"]), "allocation") if node.get("DrainStrategy") else ""
            note = message or "not eligible"
            return Standing(out=True, serving=False, ours=is_ours(message), left=left, note=note)
        fit = ready or not unpacked(was).get("ready", True)
        return Standing(out=False, serving=fit, note="" if ready else f"its node is {node['Status']}")

    def was(self, member: str) -> str:
        node = self._known(member)
        return packed({"ready": node["Status"] == "ready"})

    def why_not(self, member: str) -> str:
        """Nomad places what leaves elsewhere before it stops it here, as its jobs' `migrate` blocks say."""
        return ""

    def detach(self, member: str, reason: str) -> None:
        node = self._known(member)
        if node["SchedulingEligibility"] != "eligible":
            return
        spec = {"Deadline": self._settings.drain_deadline * NS, "IgnoreSystemJobs": True}
        body = {"DrainSpec": spec, "Meta": {"message": marked(reason)}}
        self._api.ask("POST", f"/v1/node/{node['ID']}/drain", f"drain {member}", json=body)

    def attach(self, member: str, was: str) -> None:
        node = self._node(member)
        if node is None:
            raise Transient(f"Nomad {self.name} has no node {member} just now")
        if is_ours(_message(node)) and node["SchedulingEligibility"] != "eligible":
            body = {"DrainSpec": None, "MarkEligible": True, "Meta": {"message": ""}}
            self._api.ask("POST", f"/v1/node/{node['ID']}/drain", f"let {member} work again", json=body)

    def left_out(self) -> Mapping[str, str]:
        """One call, and one for each node that is not eligible."""
        out = [node for node in self._nodes() if node["SchedulingEligibility"] != "eligible"]
        messages = {node["Name"]: _message(self._by_id(node["ID"]) or {}) for node in out}
        return {name: message for name, message in messages.items() if is_ours(message)}

    # What it is asked

    def _nodes(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._api.ask("GET", "/v1/nodes", "list its nodes") or []
        self._ids = {node["Name"]: node["ID"] for node in rows}
        return rows

    def _node(self, member: str) -> dict[str, Any] | None:
        if member not in self._ids:
            self._nodes()
        found = self._by_id(self._ids[member]) if member in self._ids else None
        if found is None:
            self._ids.pop(member, None)  # it may register again, under another id
        return found

    def _known(self, member: str) -> dict[str, Any]:
        node = self._node(member)
        if node is None:
            raise Permanent(f"Nomad {self.name} has no node {member}")
        return node

    def _by_id(self, id: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._api.ask("GET", f"/v1/node/{id}", "tell how a node is")
        except Missing:
            return None
        return found

    def _running(self, id: str) -> list[str]:
        """Allocations that have to leave: system jobs stay, as they belong to the node."""
        params = {"namespace": self._settings.namespace}
        rows = self._api.ask("GET", f"/v1/node/{id}/allocations", "list what runs on a node", params=params) or []
        return [
            row["Name"]
            for row in rows
            if row["ClientStatus"] in LIVE and (row.get("Job") or {}).get("Type", "") not in ("system", "sysbatch")
        ]


def _message(node: Mapping[str, Any]) -> str:
    """Why it was drained last, as whoever did it said."""
    return str(((node.get("LastDrain") or {}).get("Meta") or {}).get("message") or "")
