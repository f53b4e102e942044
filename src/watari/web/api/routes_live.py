"""The routes of version 1 that stream: a cloud's live picture, and what changes."""

from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from watari.errors import Transient
from watari.web.api.context import After, CloudName, Ctx, OfCloud, Reader, still_may_read
from watari.web.api.routes import hub_of
from watari.web.sse import EventStream, of_hub

MOST_PICTURES: Final = 256  # open streams of live pictures: each may hold a full state that its client does not read
MOST_LISTENERS: Final = 2000
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}
}

router = APIRouter()


@router.get("/clouds/{cloud}/events", tags=["live picture"], response_class=Response, responses=_EVENTS)
async def picture(request: Request, api: Ctx, caller: Reader, cloud: CloudName) -> Response:
    """The live picture: `state` first, then `tick` with what differs. After 10 s of silence a comment is sent."""
    hub = await api.look(lambda: hub_of(api, cloud))
    if hub.pages >= MOST_PICTURES:
        raise Transient(f"{MOST_PICTURES} pages are open already; close one")
    return EventStream(of_hub(hub), partial(still_may_read, request))


@router.get("/events", tags=["what changes"], response_class=Response, responses=_EVENTS)
async def events(request: Request, api: Ctx, caller: Reader, cloud: OfCloud = None, run: After = None) -> Response:
    """What changes, of a cloud, of a run, or everywhere: `cloud`, `plan`, `run`, `operation`, `journal`.

    Each event holds the whole new value, as the route of its name answers it. `lost`: you were too slow, read anew.
    """
    if api.streams.open >= MOST_LISTENERS:
        raise Transient(f"{MOST_LISTENERS} listeners are there already; close one")
    return EventStream(api.streams.told(cloud, run), partial(still_may_read, request))
