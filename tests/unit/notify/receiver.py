"""A receiver of notifications on loopback: it answers as the test says, and keeps what it was sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET_PATH = "/services/T0001/B0002/s3cretT0ken"


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass(frozen=True, slots=True)
class Answer:
    """`hangs`: none comes until the receiver is closed; `short`: the body never ends."""

    status: int = 200
    body: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    short: bool = False


class Receiver:
    """`answers` are given in their order, then 200 for ever. `until(n)` waits for the n-th request."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.got: list[Request] = []
        self.closing = threading.Event()
        self._change = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._take(self, Request(self.path, dict(self.headers), raw))

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{SECRET_PATH}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _take(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        with self._change:
            answer = self.answers.pop(0) if self.answers else Answer()
            self.got.append(request)
            self._change.notify_all()
        if answer.hangs:
            self.closing.wait(60)
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body.encode()) + answer.short))
        handler.end_headers()
        handler.wfile.write(answer.body.encode())
        if answer.short:
            self.closing.wait(60)

    def until(self, n: int, seconds: float = 30.0) -> list[Request]:
        """What was sent, once it is at least n requests."""
        with self._change:
            assert self._change.wait_for(lambda: len(self.got) >= n, seconds), f"{len(self.got)} of {n} requests came"
            return list(self.got)

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receiving() -> Iterator[Receiver]:
    made = Receiver()
    try:
        yield made
    finally:
        made.close()
