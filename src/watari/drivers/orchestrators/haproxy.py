"""HAProxy's runtime API: a server drains in every backend of every balancer, until its last session is over."""

import csv
import socket
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from watari.drivers.config import CLOSED, Seconds, read_section
from watari.drivers.orchestrators.marks import listed, packed, unpacked
from watari.drivers.orchestrators.opening import Surroundings
from watari.errors import Permanent, Transient
from watari.model.compute import Server, ServerId
from watari.ports import Standing

READY: Final = "ready"
MAINT, DRAIN = 0x27, 0x18  # bits of srv_admin_state: forced, inherited, configured, unresolved; forced, inherited
LONGEST: Final = 16 * 1024 * 1024  # of an answer


def _socket(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not text.startswith("/") and not (host and port.isdigit()):
        raise ValueError("write the path of a socket, or HOST:PORT")
    return text


@dataclass(frozen=True, slots=True, config=CLOSED)
class HaproxySettings:
    """`sockets`: `stats socket … level admin` of every balancer; two of a pair are two sockets."""

    sockets: Annotated[list[Annotated[str, AfterValidator(_socket)]], Field(min_length=1)]
    timeout: Seconds = 10


def open_orchestrator(name: str, section: Mapping[str, Any], around: Surroundings) -> "Haproxy":
    return Haproxy(name, read_section(HaproxySettings, section, around.where, "sockets: [/run/haproxy/admin.sock]"))


class Haproxy:
    """Balancers that share their servers' names. Management guide, 9.3: `show stat`, `set server`.

    HAProxy keeps no text with a state, so nothing there tells that a server is out because of us: the run does. A place
    is `SOCKET BACKEND/SERVER`.
    """

    def __init__(self, name: str, settings: HaproxySettings) -> None:
        self.name, self._settings = name, settings

    def members(self, servers: Collection[Server]) -> Mapping[ServerId, str]:
        """One request per balancer: servers that are called like ours."""
        known = {row["svname"] for path in self._settings.sockets for row in self._rows(path)}
        return {s.id: s.name for s in servers if s.name in known}

    def standing(self, member: str, was: str = "") -> Standing | None:
        places = self._places(member)
        if not places:
            return None
        before = unpacked(was)
        out = [place for place, row in places.items() if _state(row) != READY]
        missing = [place for place in out if before.get("states", {}).get(place, READY) == READY]
        down = [p for p, row in places.items() if _state(row) == READY and not _fit(row)]
        down = [place for place in down if place not in before.get("down", ())]
        sessions = [f"{places[place]['scur']} in {place}" for place in out if int(places[place]["scur"] or 0)]
        note = listed([f"{_state(places[place])} in {place}" for place in missing], "place")
        return Standing(
            out=len(out) == len(places), serving=not missing and not down,
            left=f"sessions: {', '.join(sessions)}" if sessions else "",
            note=note or listed(down, "failing check"),
        )  # fmt: skip

    def was(self, member: str) -> str:
        places = self._places(member)
        down = [place for place, row in places.items() if _state(row) == READY and not _fit(row)]
        return packed({"states": {place: _state(row) for place, row in places.items()}, "down": down})

    def why_not(self, member: str) -> str:
        """A backend whose last fit server it is."""
        for path in self._settings.sockets:
            rows = self._rows(path)
            for backend in {row["pxname"] for row in rows if row["svname"] == member and _serves(row)}:
                if not any(_serves(r) for r in rows if r["pxname"] == backend and r["svname"] != member):
                    return f"it is the last server of {backend} that is up"
        return ""

    def detach(self, member: str, reason: str) -> None:
        places = self._places(member)
        if not places:
            raise Permanent(f"HAProxy {self.name} has no server {member}")
        for place, row in places.items():
            if _state(row) == READY:
                self._set(place, "drain")

    def attach(self, member: str, was: str) -> None:
        places = self._places(member)
        if not places:
            raise Transient(f"HAProxy {self.name} has no server {member} just now")
        before = unpacked(was).get("states", {})
        for place, row in places.items():  # a backend that has come since was drained with the others
            state = before.get(place, READY)
            if _state(row) != state:
                self._set(place, state)

    def left_out(self) -> Mapping[str, str]:
        """Nothing in HAProxy says whose doing a state is."""
        return {}

    # What it is asked

    def _places(self, member: str) -> dict[str, dict[str, str]]:
        return {
            f"{path} {row['pxname']}/{member}": row
            for path in self._settings.sockets
            for row in self._rows(path)
            if row["svname"] == member
        }

    def _rows(self, path: str) -> list[dict[str, str]]:
        """Servers of all backends, as `show stat` has them (-1: all proxies, 4: servers, -1: all of them).

        Their `admin` is what they were set to, of `show servers state`: the status of one that is DOWN does not tell.
        """
        text = self._command(path, "show stat -1 4 -1")
        if not text.startswith("# pxname"):
            raise Permanent(f"HAProxy {self.name} at {path} answers no `show stat`: {text[:100]!r}; is it level admin?")
        rows = list(csv.DictReader(text.removeprefix("# ").splitlines()))
        _, head, *lines = [*self._command(path, "show servers state").splitlines(), "", ""]
        if "srv_admin_state" not in head:
            raise Transient(f"HAProxy {self.name} at {path} answers no `show servers state`: {head[:100]!r}")
        names = head.removeprefix("# ").split()
        states = [dict(zip(names, line.split(), strict=False)) for line in lines if line]
        admin = {(state["be_name"], state["srv_name"]): state["srv_admin_state"] for state in states}
        return [row | {"admin": admin.get((row["pxname"], row["svname"]), "0")} for row in rows]

    def _set(self, place: str, state: str) -> None:
        path, _, server = place.rpartition(" ")
        said = self._command(path, f"set server {server} state {state}").strip()
        if said:  # silence is success
            raise Permanent(f"HAProxy {self.name} at {path} will not set {server} to {state}: {said}")

    def _command(self, path: str, command: str) -> str:
        """One command, one connection: without `prompt` HAProxy closes it after the answer."""
        try:
            with self._connected(path) as connection:
                connection.sendall(f"{command}\n".encode())
                answer = bytearray()
                while part := connection.recv(65536):
                    answer += part
                    if len(answer) > LONGEST:
                        raise Permanent(f"HAProxy {self.name} at {path} answers without end")
        except OSError as e:
            raise Transient(f"HAProxy {self.name} at {path} does not answer: {e.strerror or e}") from e
        return answer.decode("utf-8", "replace")

    def _connected(self, path: str) -> socket.socket:
        if not path.startswith("/"):
            host, _, port = path.rpartition(":")
            return socket.create_connection((host.strip("[]"), int(port)), self._settings.timeout)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._settings.timeout)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection


def _state(row: Mapping[str, str]) -> str:
    """`ready`, `drain` or `maint`, as `set server` takes them, from the bits of srv_admin_state."""
    bits = int(row["admin"])
    return "maint" if bits & MAINT else "drain" if bits & DRAIN else READY


def _fit(row: Mapping[str, str]) -> bool:
    """Up, or without checks."""
    return row["status"].startswith(("UP", "no check"))


def _serves(row: Mapping[str, str]) -> bool:
    return _state(row) == READY and _fit(row) and int(row["weight"] or 0) > 0
