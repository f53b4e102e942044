"""Keystone, Nova and Placement on loopback, with canned answers: what was asked is kept, what goes wrong can be set."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request that arrived, Keystone's and version documents not counted."""

    method: str
    path: str  # with its service: /compute/servers
    query: dict[str, list[str]]
    version: str
    body: Any


@dataclass(frozen=True)
class Answer:
    """What a route gives: JSON, or text where a string is given."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Route = Callable[[Asked], Answer]
NO_TOKEN = Answer({"error": {"code": 401, "message": "The request you have made requires authentication."}}, 401)


class Stub:
    """Routes are tried newest first; `fail` puts answers in front of them, each given once."""

    def __init__(self, url: str, newest: str) -> None:
        self.url = url
        self.newest = newest
        self.asked: list[Asked] = []
        self.tokens = 0
        self.valid: set[str] = set()
        self.password = "right"
        self.services = ["compute", "placement"]
        self._routes: list[tuple[str, re.Pattern[str], Route]] = []
        self._failures: list[tuple[str, re.Pattern[str], Answer]] = []

    def on(self, method: str, path: str, route: Route | Json) -> None:
        answer = route if callable(route) else lambda _: Answer(route)
        self._routes.insert(0, (method, re.compile(path), answer))

    def fail(self, method: str, path: str, *answers: Answer) -> None:
        self._failures += [(method, re.compile(path), answer) for answer in answers]

    def paths(self, method: str = "GET") -> list[str]:
        return [asked.path for asked in self.asked if asked.method == method]

    def expire(self) -> None:
        self.valid.clear()

    def answer(self, asked: Asked, token: str) -> Answer:
        if token not in self.valid:
            return NO_TOKEN
        self.asked.append(asked)
        for failure in self._failures:
            if failure[0] == asked.method and failure[1].fullmatch(asked.path):
                self._failures.remove(failure)
                return failure[2]
        for method, path, route in self._routes:
            if method == asked.method and path.fullmatch(asked.path):
                return route(asked)
        return Answer({"itemNotFound": {"code": 404, "message": f"nothing at {asked.path}"}}, 404)

    def open(self, method: str, path: str, body: Any) -> Answer | None:
        """What needs no token: version documents, and the token itself."""
        match (method, path.rstrip("/")):
            case ("GET", "/identity/v3"):
                links = [{"rel": "self", "href": f"{self.url}/identity/v3/"}]
                return Answer({"version": {"id": "v3.14", "status": "stable", "links": links}})
            case ("GET", "/compute"):
                links = [{"rel": "self", "href": f"{self.url}/compute/"}]
                about = {"id": "v2.1", "status": "CURRENT", "version": self.newest, "min_version": "2.1"}
                return Answer({"version": {**about, "links": links}})
            case ("GET", "/placement"):
                links = [{"rel": "self", "href": f"{self.url}/placement"}]
                about = {"id": "v1.0", "status": "CURRENT", "max_version": "1.39", "min_version": "1.0"}
                return Answer({"versions": [{**about, "links": links}]})
            case ("POST", "/identity/v3/auth/tokens"):
                return self._token(body)
        return None

    def _token(self, body: Any) -> Answer:
        if body["auth"]["identity"]["password"]["user"]["password"] != self.password:
            return Answer(
                {"error": {"code": 401, "message": "The request you have made requires authentication."}}, 401
            )
        self.tokens += 1
        token = f"token-{self.tokens}"
        self.valid.add(token)
        catalog = [
            {"type": kind, "name": kind, "id": kind, "endpoints": [
                {"id": kind, "interface": "public", "region": "one", "region_id": "one", "url": f"{self.url}/{kind}"}
            ]}
            for kind in self.services
        ]  # fmt: skip
        scope = {"domain": {"id": "default", "name": "Default"}}
        about = {
            "methods": ["password"], "expires_at": "2999-01-01T00:00:00.000000Z", "roles": [], "catalog": catalog,
            "issued_at": "2026-01-01T00:00:00.000000Z", "user": {"id": "u", "name": "ann", **scope},
            "project": {"id": "p", "name": "ops", **scope},
        }  # fmt: skip
        return Answer({"token": about}, 201, {"X-Subject-Token": token})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one piece, else each answer waits 40 ms for an acknowledgement
    stub: Stub

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urlsplit(self.path)
        answer = self.stub.open(self.command, parts.path, body)
        if answer is None:
            version = (self.headers.get("OpenStack-API-Version") or "").rpartition(" ")[2]
            asked = Asked(self.command, parts.path, parse_qs(parts.query), version, body)
            answer = self.stub.answer(asked, self.headers.get("X-Auth-Token") or "")
        if answer.status == 0:  # the line breaks after the request was heard
            self.close_connection = True
            return
        data = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def serving(newest: str = "2.96") -> Iterator[Stub]:
    """A cloud whose Nova offers API versions up to `newest`."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stub = Stub(f"http://127.0.0.1:{server.server_port}", newest)
    handler.stub = stub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
