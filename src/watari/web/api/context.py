"""What every route works with, and the dependencies that say who may call it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeVar

import anyio
import anyio.to_thread
from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import StringConstraints, TypeAdapter
from starlette.responses import Response

from watari.errors import WatariError
from watari.web.api.callers import Caller, Doorkeeper, Rules, Unauthorised
from watari.web.api.desk import By, Desk
from watari.web.api.fresh import Fresh
from watari.web.api.rates import Rates
from watari.web.api.streams import Streams

ASKING: Final = 16  # callers about whom Keystone is asked at the same time
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

    def __post_init__(self) -> None:
        self.streams = Streams(self.desk)
        self._asking = anyio.CapacityLimiter(ASKING)

    async def caller(self, request: Request) -> Caller:
        """Who asks. Raises Unauthorised, TooMuch, and Transient when nobody can say."""
        address = address_of(request)
        self.refusals.check(address)
        headers = request.headers
        try:
            if (caller := self.door.known(headers)) is None:
                # Threads of its own: a slow Keystone keeps those waiting that it does not know yet, and nobody else.
                caller = await anyio.to_thread.run_sync(self.door.caller, headers, limiter=self._asking)
        except Unauthorised:
            self.refusals.count(address)
            raise
        self.rates.count(caller.key)
        return caller

    async def read(self, request: Request, answer: type[T] | TypeAdapter[T], make: Callable[[], T]) -> Response:
        """Answer a read, from what is kept if it is fresh: all who may read see the same."""
        adapter = answer if isinstance(answer, TypeAdapter) else _adapter(answer)
        body = await self.fresh.get(str(request.url.path) + "?" + request.url.query, lambda: adapter.dump_json(make()))
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def change(self, do: Callable[[], T]) -> T:
        """Make a change in a thread; whoever reads after it sees it."""
        try:
            return await anyio.to_thread.run_sync(do)
        finally:
            self.fresh.forget()


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


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


def by(request: Request, caller: Caller) -> By:
    return By(caller.user, address_of(request))


def _adapter(answer: type[T]) -> TypeAdapter[T]:
    if answer not in _ADAPTERS:
        _ADAPTERS[answer] = TypeAdapter(answer)
    return _ADAPTERS[answer]


_ADAPTERS: dict[type, TypeAdapter] = {}  # type: ignore[type-arg]

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
After = Annotated[Annotated[str, StringConstraints(max_length=100, pattern=_WORD)] | None, Query()]
Limit = Annotated[int, Query(ge=1, le=500)]
LARGEST_INT: Final = 2**63 - 1
"""Of a database's column."""
