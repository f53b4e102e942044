"""A proxy on loopback in front of an API, that fails the way real ones do: busy, slow, or silent after the deed."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

# What happens to a request: answered with that status; passed on, and the connection cut instead of the answer;
# passed on after so many seconds; None: passed on.
Fate = int | Literal["lost"] | float | None
Judge = Callable[[str, str], Fate]
HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length"})


@dataclass
class Proxy:
    """Passes requests on to `target`, unless `judge` (method, path) says otherwise."""

    target: str
    judge: Judge = lambda method, path: None
    seen: list[tuple[str, str, Fate]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    url: str = ""

    def busy(self, status: int = 503) -> None:
        """From now on every request is answered with that status."""
        self.judge = lambda method, path: status

    def kind(self) -> None:
        """From now on everything is passed on."""
        self.judge = lambda method, path: None

    def expire(self) -> None:
        """The tokens that were used so far are worth nothing any more: 401. New ones are."""
        self.expired |= self.tokens

    def lose_first(self, method: str, ending: str) -> None:
        """The next such request is passed on and its answer lost; nothing after that."""
        lost = threading.Event()

        def judge(asked: str, path: str) -> Fate:
            if asked == method and urlsplit(path).path.endswith(ending) and not lost.is_set():
                lost.set()
                return "lost"
            return None

        self.judge = judge

    def count(self, method: str, ending: str) -> int:
        return sum(m == method and urlsplit(p).path.endswith(ending) for m, p, _ in self.seen)


@contextmanager
def before(target: str) -> Iterator[Proxy]:
    """A proxy in front of a URL's host; its own URL has the same path."""
    parts = urlsplit(target)
    proxy = Proxy(f"{parts.hostname}:{parts.port}")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            super().handle_one_request()

        def log_message(self, *_: object) -> None:
            """Nothing: the tests look at `seen`."""

        def do_GET(self) -> None:
            token = self.headers.get("X-Auth-Token", "")
            fate = 401 if token in proxy.expired else proxy.judge(self.command, self.path)
            proxy.tokens |= {token} - {""}
            proxy.seen.append((self.command, self.path, fate))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if isinstance(fate, int):
                self._answer(fate, [("Retry-After", "1")], b'{"error": {"message": "the proxy has no server"}}')
                return
            if isinstance(fate, float):
                time.sleep(fate)
            status, headers, answer = _passed_on(proxy.target, self.command, self.path, dict(self.headers), body)
            if fate == "lost":
                self.close_connection = True
                self.connection.close()
                return
            self._answer(status, headers, answer)

        do_POST = do_PUT = do_DELETE = do_GET

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}{parts.path}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


def _passed_on(
    target: str, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(target, timeout=60)
    try:
        connection.request(method, path, body, {k: v for k, v in headers.items() if k.lower() not in HOP})
        response = connection.getresponse()
        answer = response.read()
        kept = [(k, v) for k, v in response.getheaders() if k.lower() not in HOP]
        return response.status, kept, answer
    finally:
        connection.close()
