"""Serve the page, its state and its events on loopback."""

import gzip
import socket
import threading
import time
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watari.errors import BadInput, WatariError
from watari.web.hub import Hub

MOST_PAGES = 32  # open streams; each may hold a full state that its client does not read
RETRY_MS = 1000
"""How soon a browser whose stream broke tries again."""

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


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
        if not _is_loopback(self._host):
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

    return Starlette(
        routes=[
            Route("/", page),
            Route("/api/state", state),
            Route("/api/events", _EventStream(hub)),
            Route("/api/servers/{id}", server),
            Route("/api/{rest:path}", lambda request: _error(404, f"the API has no {request.url.path}")),
            Mount("/static", StaticFiles(directory=static)),
        ],
        middleware=[Middleware(_SecurityHeaders), Middleware(_LoopbackOnly)],
    )


class _EventStream:
    """GET /api/events: server-sent events until either side leaves."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._hub.pages >= MOST_PAGES:
            await _error(503, f"{MOST_PAGES} pages are open already; close one")(scope, receive, send)
            return
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with anyio.create_task_group() as group:
            group.start_soon(self._until_gone, receive, group.cancel_scope)
            await self._events(send)
            group.cancel_scope.cancel()

    async def _events(self, send: Send) -> None:
        with self._hub.subscribe() as subscription:
            event: bytes | None = b"retry: %d\n\n" % RETRY_MS
            while event is not None:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                event = await subscription.next()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    @staticmethod
    async def _until_gone(receive: Receive, stream: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        stream.cancel()


class _LoopbackOnly:
    """Answer only to a loopback name, so that no other site's name, pointed here by its DNS, can read the page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host", "")
        if scope["type"] == "http" and not _is_loopback(_host_name(host)):
            refusal = _error(421, f"this page answers to localhost and 127.0.0.1 only, not to {host or 'no name'}")
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class _SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                # Files change with an upgrade under the same name: let the browser ask, the ETag answers.
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, send_with)


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status_code=status, headers={"Cache-Control": "no-store"})


def _host_name(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
