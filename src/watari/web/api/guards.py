"""What stands before every route: sizes and origins."""

from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watari.web.problems import problem

LARGEST_BODY: Final = 1024 * 1024  # bytes: the largest policy is a hundredth of it
BODY_S: Final = 10.0  # a body that comes slower is not waited for
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class SmallBodies:
    """Refuses bodies that are too large before they are read, and those that come too slowly."""

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY, body_s: float = BODY_S) -> None:
        self._app, self._largest, self._body_s = app, largest, body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING:
            await self._app(scope, receive, send)
            return
        close = {"Connection": "close"}  # what is still to come of the body is not read
        announced = Headers(scope=scope).get("content-length", "0")
        too_large = problem(413, f"the body is larger than {self._largest} bytes", close)
        if not announced.isdecimal() or int(announced) > self._largest:
            await too_large(scope, receive, send)
            return
        try:
            with anyio.fail_after(self._body_s):
                body = await self._read(receive)
        except TimeoutError:
            await problem(408, f"the body did not come within {self._body_s:g} s", close)(scope, receive, send)
            return
        if body is None:
            await too_large(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None when it is too large."""
        parts, size = list[bytes](), 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(parts)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._largest:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)


class SameOrigin:
    """Changes are taken from our own page and from programs, not from another site's page.

    Tokens are sent in headers, which no other site can make a browser do; this stands before it all the same.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in READING:
            headers = Headers(scope=scope)
            origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
            foreign = origin is not None and origin.split("://", 1)[-1] != headers.get("host", "")
            if foreign or site not in ("same-origin", "none"):
                await problem(403, "changes are not taken from another site's page")(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _replayed(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """What `receive` would have given, with the body in one piece."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
