"""An ASGI application served in a thread of its own."""

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from watari.errors import BadInput, WatariError


class Server:
    """`with Server(app) as server: print(server.url)`; `port` 0 takes any free one.

    `closing` is called first when it ends, and has to end open streams: they would hold up the shutdown. Entering
    raises BadInput when the port is taken. Leaving takes less than a second.
    """

    def __init__(
        self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0, closing: Callable[[], None] = lambda: None
    ) -> None:
        self._app, self._host, self._port, self._closing = app, host, port, closing
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it is, once it runs."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/"

    def __enter__(self) -> Self:
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app, ws="none", lifespan="off", log_config=None, log_level="error", access_log=False,
            timeout_graceful_shutdown=1, timeout_keep_alive=30, server_header=False, proxy_headers=False,
            backlog=1024,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="watari-web", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise WatariError(f"the server ended while it started on {self.url}")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is None or self._thread is None:
            return
        self._closing()
        self._server.should_exit = True
        self._thread.join(timeout=5)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise BadInput(
            f"port {port} on {host} cannot be used ({error}); name another, or port 0 for any free one"
        ) from error
    listener.listen(1024)
    return listener
