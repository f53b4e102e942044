"""An ASGI application served in a thread of its own, which no number of silent clients can starve."""

import asyncio
import resource
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from watari.errors import BadInput, WatariError

REQUEST_S: Final = 10.0  # so long a connection may be open before its request, or between two bytes of a head
MOST_FILES: Final = 65_536  # open files that are asked for; 1,024 are usual and fewer than the promised streams
LARGEST_HEAD: Final = 32 * 1024  # bytes of a request's head: tokens of Keystone are a tenth of it


class Server:
    """`with Server(app) as server: print(server.url)`; `port` 0 takes any free one.

    `closing` is called first when it ends, and has to end open streams: they would hold up the shutdown. `proxies`:
    addresses whose X-Forwarded-For is believed. Entering raises BadInput when the port is taken. Leaving takes less
    than a second.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str = "127.0.0.1",
        port: int = 0,
        closing: Callable[[], None] = lambda: None,
        proxies: tuple[str, ...] = (),
    ) -> None:
        self._app, self._host, self._port, self._closing, self._proxies = app, host, port, closing, proxies
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
        _allow_files()
        config = uvicorn.Config(
            self._app, ws="none", lifespan="off", log_config=None, log_level="error", access_log=False,
            timeout_graceful_shutdown=1, timeout_keep_alive=30, server_header=False, backlog=1024,
            http=Patient, h11_max_incomplete_event_size=LARGEST_HEAD, proxy_headers=bool(self._proxies),
            forwarded_allow_ips=list(self._proxies),
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


class Patient(H11Protocol):
    """HTTP/1.1, but a connection without a request is closed after REQUEST_S, and those beyond a limit at once.

    The process needs files for its database and its clouds, too: half of them are for connections at most.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            transport.abort()
            return
        self._suspect = True  # until something has come of it
        self._watch()

    def _watch(self) -> None:
        """Whether something has come of it since the last look: a request at work, or one that was answered."""
        self._late = self.loop.call_later(REQUEST_S, self._look)

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        at_work = self.cycle is not None and not self.cycle.response_complete
        rests = self.timeout_keep_alive_task is not None  # uvicorn ends that itself
        if self._suspect and not (at_work or rests):
            self.transport.close()
            return
        self._suspect = not (at_work or rests)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if (late := cast("asyncio.TimerHandle | None", getattr(self, "_late", None))) is not None:
            late.cancel()
        super().connection_lost(exc)


def most_connections() -> int:
    """Half of the files that this process may open."""
    return max(16, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


def _allow_files() -> None:
    """As many as the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
