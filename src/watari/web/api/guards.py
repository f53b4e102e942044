"""What stands before every route: sizes, rates and origins."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watari.errors import BadInput, WatariError
from watari.web.problems import problem

LARGEST_BODY: Final = 1024 * 1024  # bytes: the largest policy is a hundredth of it
BODY_S: Final = 10.0  # a body that comes slower is not waited for
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class TooMuch(WatariError):
    """Somebody asks too often; `after_s` seconds later it may be asked again."""

    def __init__(self, limit: RateLimitItem, after_s: int) -> None:
        super().__init__(f"too many requests: {limit} at most; ask again in {after_s} s")
        self.after_s = after_s


class Rates:
    """How often one caller may do something, such as "100/second"."""

    def __init__(self, limit: str) -> None:
        try:
            self._limit = parse(limit)
        except ValueError:
            raise BadInput(f'"{limit}" is no rate: write a number and second, minute or hour, as 100/second') from None
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, key: str) -> None:
        """Count once more. Raises TooMuch when that is over the limit."""
        if not self._window.hit(self._limit, key):
            raise self._too_much(key)

    def check(self, key: str) -> None:
        """Count nothing. Raises TooMuch when the next one would be over the limit."""
        if not self._window.test(self._limit, key):
            raise self._too_much(key)

    def _too_much(self, key: str) -> TooMuch:
        reset = self._window.get_window_stats(self._limit, key).reset_time
        return TooMuch(self._limit, max(1, round(reset - time.time())))


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
