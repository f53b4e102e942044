"""Serve the page, its state and its events on loopback."""

import gzip
import socket
import threading
import time
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from watari.errors import BadInput, WatariError
from watari.web.headers import LoopbackOnly, SecurityHeaders, is_loopback
from watari.web.hub import Hub
from watari.web.sse import EventStream, of_hub

MOST_PAGES = 32  # open streams; each may hold a full state that its client does not read


class PageServer:
    """The page in a thread of its own: `with PageServer(hub) as page: print(page.url)`.

    `port` 0 takes any free one. Entering raises BadInput when the address is not loopback (the page has no login) or
    the port is taken. Leaving ends the hub's streams and takes less than a second.
    """

    def __init__(self, hub: Hub, host: str = "127.0.0.1", port: int = 0) -> None:
        self._hub = hub
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the page is, once the server runs."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/"

    def __enter__(self) -> Self:
        if not is_loopback(self._host):
            raise BadInput(
                f"the page has no login, so it is served on loopback only, not on {self._host}; use 127.0.0.1"
            )
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            create_app(self._hub),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="watari-page", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise WatariError(f"the page's server ended while it started on {self.url}")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is None or self._thread is None:
            return
        self._hub.close()  # else the open streams would hold up the shutdown
        self._server.should_exit = True
        self._thread.join(timeout=5)


def create_app(hub: Hub) -> Starlette:
    """The ASGI application: the page, its files, and the API under /api."""
    static = Path(str(files("watari.web") / "static"))

    def page(request: Request) -> Response:
        return FileResponse(static / "index.html", headers={"Cache-Control": "no-cache"})

    def state(request: Request) -> Response:
        body = hub.state_json()
        if body is None:
            return _error(503, "the cloud has not been read yet; try again in a moment")
        headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            body = gzip.compress(body, compresslevel=5, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return Response(body, media_type="application/json", headers=headers)

    def server(request: Request) -> Response:
        name = request.path_params["id"]
        details = hub.details(name)
        if details is None:
            return _error(404, f"no server has the id {name}")
        return JSONResponse(details, headers={"Cache-Control": "no-store"})

    async def events(request: Request) -> Response:
        if hub.pages >= MOST_PAGES:
            return _error(503, f"{MOST_PAGES} pages are open already; close one")
        return EventStream(of_hub(hub))

    return Starlette(
        routes=[
            Route("/", page),
            Route("/api/state", state),
            Route("/api/events", events),
            Route("/api/servers/{id}", server),
            Route("/api/{rest:path}", lambda request: _error(404, f"the API has no {request.url.path}")),
            Mount("/static", StaticFiles(directory=static)),
        ],
        middleware=[Middleware(SecurityHeaders), Middleware(LoopbackOnly)],
    )


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status_code=status, headers={"Cache-Control": "no-store"})


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise BadInput(
            f"port {port} on {host} cannot be used ({error}); name another with --port, or --port 0 for any free one"
        ) from error
    listener.listen()
    return listener
