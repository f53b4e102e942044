"""What every route works with, and the dependencies that say who may call it."""

from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Final, TypeVar, cast

import anyio
import anyio.to_thread
from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import StringConstraints, TypeAdapter
from starlette.responses import Response

from watari.errors import Transient, WatariError
from watari.web.api import models as m
from watari.web.api.callers import Caller, Doorkeeper, Unauthorised, token_of
from watari.web.api.desk import By, Desk
from watari.web.api.fresh import Fresh
from watari.web.api.rates import Rates
from watari.web.api.rules import Rules
from watari.web.api.streams import Streams

ASKING: Final = 32  # callers about whom Keystone is asked at the same time
MOST_WAITING: Final = 24  # of them from one address
READING: Final = 16
CHANGING: Final = 16
SLOW: Final = 4
REFUSALS: Final = "60/minute"  # tokens that are none, from one address
_BEARER: Final = HTTPBearer(auto_error=False, description="The generated token of a controller on loopback.")
_KEYSTONE: Final = APIKeyHeader(name="X-Auth-Token", auto_error=False, description="A token of Keystone.")
T = TypeVar("T")


class Forbidden(WatariError):
    """The caller is known and may not do this."""


@dataclass(slots=True)
class Api:
    """One API: its desk, who may ask, how often, and what is kept between requests."""

    desk: Desk
    door: Doorkeeper
    rules: Rules
    rates: Rates
    fresh: Fresh = field(default_factory=Fresh)
    refusals: Rates = field(default_factory=lambda: Rates(REFUSALS))
    streams: Streams = field(init=False)
    _asking: anyio.CapacityLimiter = field(init=False)
    _reading: anyio.CapacityLimiter = field(init=False)
    _changing: anyio.CapacityLimiter = field(init=False)
    _slow: anyio.CapacityLimiter = field(init=False)
    _judging: anyio.CapacityLimiter = field(init=False)
    _waiting: Counter[str] = field(default_factory=Counter)  # addresses about whose tokens Keystone is asked just now

    def __post_init__(self) -> None:
        self.streams = Streams(self.desk, self.fresh.forget)
        # Threads apart: a slow Keystone holds up no read, reads no change, and what takes minutes none of them.
        self._asking, self._reading = anyio.CapacityLimiter(ASKING), anyio.CapacityLimiter(READING)
        self._changing, self._slow = anyio.CapacityLimiter(CHANGING), anyio.CapacityLimiter(SLOW)
        self._judging = anyio.CapacityLimiter(1)

    async def caller(self, request: Request) -> Caller:
        """Who asks. Raises Unauthorised, TooMuch, and Transient when nobody can say.

        Who is known is let in whatever others do from the same address.
        """
        if (caller := self.door.known(request.headers)) is None:
            caller = await self._asked(request)
        self.rates.count(caller.key)
        return caller

    async def _asked(self, request: Request) -> Caller:
        """Ask about a token that is not known. Guesses from one address are few, and few of them wait at a time."""
        address, headers = address_of(request), request.headers
        if not token_of(headers):
            return self.door.caller(headers)
        if self._waiting[address] >= MOST_WAITING:
            raise Transient("Keystone is slow, and others wait for it already: try again in a moment")
        self.refusals.count(address)
        self._waiting[address] += 1
        try:
            caller = await anyio.to_thread.run_sync(self.door.caller, headers, limiter=self._asking)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
        self.refusals.give_back(address)
        return caller

    async def read(self, request: Request, answer: type[T], make: Callable[[], T]) -> Response:
        """Answer a read, from what is kept if it is fresh: all who may read see the same."""
        adapter: TypeAdapter[T] = _adapter(cast(Hashable, answer))
        key = (request.scope["path"], request.scope["query_string"])
        body = await self.fresh.get(key, lambda: adapter.dump_json(make()), self._reading)
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def change(self, do: Callable[[], T]) -> T:
        """Make a change in a thread; whoever reads after it sees it."""
        try:
            return await anyio.to_thread.run_sync(do, limiter=self._changing)
        finally:
            self.fresh.forget()

    async def slow(self, do: Callable[[], T]) -> T:
        """The same for what may take minutes, a few at a time: nothing else waits behind it."""
        try:
            return await anyio.to_thread.run_sync(do, limiter=self._slow)
        finally:
            self.fresh.forget()

    async def judge(self, do: Callable[[], T]) -> T:
        """Read what somebody has written: one at a time, since that is nothing but CPU."""
        return await anyio.to_thread.run_sync(do, limiter=self._judging)

    async def look(self, do: Callable[[], T]) -> T:
        """Read something that is not kept."""
        return await anyio.to_thread.run_sync(do, limiter=self._reading)


async def api_of(request: Request) -> Api:
    api: Api = request.app.state.api
    return api


def allowed(what: str) -> Callable[..., Awaitable[Caller]]:
    """A dependency: the caller, who may do this. Raises Unauthorised, Forbidden, TooMuch, Transient."""

    async def dependency(
        request: Request,
        api: Annotated[Api, Depends(api_of)],
        bearer: Annotated[object, Security(_BEARER)],
        keystone: Annotated[object, Security(_KEYSTONE)],
    ) -> Caller:
        caller = await api.caller(request)
        if not api.rules.may(caller, what):
            raise Forbidden(f"{caller.user} may not do this: it takes the rule watari:{what}")
        return caller

    return dependency


async def still_may_read(request: Request) -> bool:
    """Whether who has a stream open may still have it. While nobody can say, yes."""
    api: Api = request.app.state.api
    try:
        caller = api.door.known(request.headers) or await api._asked(request)
    except Unauthorised:
        return False
    except WatariError:
        return True
    return api.rules.may(caller, "read")


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


def by(request: Request, caller: Caller) -> By:
    return By(caller.user, address_of(request))


@cache
def _adapter(answer: Any) -> TypeAdapter[Any]:
    """Made once for each kind of answer: that takes longer than most answers."""
    return TypeAdapter(answer)


Ctx = Annotated[Api, Depends(api_of)]
Reader = Annotated[Caller, Depends(allowed("read"))]
Decider = Annotated[Caller, Depends(allowed("decide"))]
Stopper = Annotated[Caller, Depends(allowed("stop"))]
Admin = Annotated[Caller, Depends(allowed("admin"))]

_WORD: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Id = Annotated[str, Path(max_length=100, pattern=_WORD)]
CloudName = Annotated[str, Path(max_length=255, pattern=r"^[^\x00-\x1f\x7f/]+$")]
ServerId = Annotated[str, Path(max_length=255, pattern=r"^[^\x00-\x1f\x7f/]+$")]
OfCloud = Annotated[
    Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")] | None, Query(alias="cloud")
]
WhyQuery = Annotated[m.Why, Query()]
After = Annotated[Annotated[str, StringConstraints(max_length=100, pattern=_WORD)] | None, Query()]
Limit = Annotated[int, Query(ge=1, le=500)]
LARGEST_INT: Final = 2**63 - 1
"""Of a database's column."""
