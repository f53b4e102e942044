"""Server-sent events over ASGI."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from watari.web.hub import Hub

RETRY_MS: Final = 1000
"""How soon a browser whose stream broke tries again."""
AGAIN_S: Final = 30.0  # between two looks whether the caller may still listen


class EventStream(Response):
    """Sends what `events` yields until either side leaves; then `events` is closed."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None], still: Callable[[], Awaitable[bool]] | None = None) -> None:
        """`still` is asked every AGAIN_S whether the stream may go on."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events, self._still = events, still

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(self._events), anyio.create_task_group() as group:
            group.start_soon(_until_gone, receive, group.cancel_scope)
            if self._still is not None:
                group.start_soon(_while_allowed, self._still, group.cancel_scope)
            async for event in self._events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            group.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})  # to nobody, if it was left


async def of_hub(hub: Hub) -> AsyncGenerator[bytes, None]:
    """A page's stream: the full state, then what changes."""
    with hub.subscribe() as subscription:
        event: bytes | None = b"retry: %d\n\n" % RETRY_MS
        while event is not None:
            yield event
            event = await subscription.next()


async def _while_allowed(still: Callable[[], Awaitable[bool]], stream: anyio.CancelScope) -> None:
    while await still():
        await anyio.sleep(AGAIN_S)
    stream.cancel()


async def _until_gone(receive: Receive, stream: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.cancel()
