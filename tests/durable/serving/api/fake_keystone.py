"""A Keystone on loopback that knows a few tokens: discovery, tokens by password, and their validation; nothing else."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERVICE = "of-the-service"
PASSWORD = "secret"


@dataclass(slots=True)
class Keystone:
    """`tokens`: what validating each answers. `asked`: tokens that were validated, in order. `away`: it answers 503."""

    url: str
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False


def token(user: str, *roles: str, project: str = "", system: bool = False, lasts_s: float = 3600.0) -> dict[str, Any]:
    """The body of a token."""
    now = datetime.now(UTC)
    body: dict[str, Any] = {
        "methods": ["password"], "issued_at": _iso(now), "expires_at": _iso(now + timedelta(seconds=lasts_s)),
        "user": {"id": f"id-{user}", "name": user, "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": role, "name": role} for role in roles], "audit_ids": ["x"], "catalog": [],
    }  # fmt: skip
    if project:
        body["project"] = {"id": project, "name": project, "domain": {"id": "default", "name": "Default"}}
    if system:
        body["system"] = {"all": True}
    return {"token": body}


@contextmanager
def keystone() -> Iterator[Keystone]:
    """One that serves while it is entered."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    state = Keystone(f"http://127.0.0.1:{server.server_port}/v3")
    server.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        state: Keystone = self.server.state  # type: ignore[attr-defined]
        if state.away:
            return self._answer(503, {})
        if not self.path.startswith("/v3/auth/tokens"):
            links = [{"rel": "self", "href": f"{state.url}/"}]
            version = {"id": "v3.14", "status": "stable", "links": links, "media-types": []}
            return self._answer(200, {"version": version})
        if self.headers["X-Auth-Token"] != SERVICE:
            return self._answer(401, {"error": {"code": 401, "message": "who are you?", "title": "Unauthorized"}})
        sent = self.headers["X-Subject-Token"]
        state.asked.append(sent)
        found = state.tokens.get(sent)
        return self._answer(404 if found is None else 200, found or {"error": {"code": 404, "title": "Not Found"}})

    def do_POST(self) -> None:
        state: Keystone = self.server.state  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = body["auth"]["identity"]["password"]["user"]["password"] == PASSWORD
        if state.away or not known:
            return self._answer(503 if state.away else 401, {"error": {"code": 401, "title": "Unauthorized"}})
        made = token("watari", "service", project="service")
        endpoint = {"id": "e", "interface": "public", "region": "R", "region_id": "R", "url": state.url}
        made["token"]["catalog"] = [{"id": "k", "type": "identity", "name": "keystone", "endpoints": [endpoint]}]
        return self._answer(201, made, {"X-Subject-Token": SERVICE})

    def _answer(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(text)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
