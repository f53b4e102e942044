"""HTTP servers on loopback that play an API for a test: JSON in, JSON out, and faults."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any

    def param(self, name: str) -> str:
        return self.query.get(name, [""])[0]


Answer = tuple[int, Any]  # a status, and what is written as JSON; text is written as it is


@dataclass
class Served:
    """A running server. `fate`: a status for every request from now on; 0: none."""

    url: str
    seen: list[Request] = field(default_factory=list)
    fate: int = 0

    def count(self, method: str, path: str) -> int:
        return sum(r.method == method and r.path == path for r in self.seen)


@contextmanager
def serving(answer: Callable[[Request], Answer]) -> Iterator[Served]:
    """Serve `answer` until the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing: tests look at `seen`."""

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            body = json.loads(raw) if raw else None
            request = Request(self.command, parts.path, parse_qs(parts.query), dict(self.headers), body)
            served.seen.append(request)
            status, value = (served.fate, "out of order") if served.fate else answer(request)
            text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(value, str) else "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served = Served(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
