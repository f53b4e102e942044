"""Errors as answers: RFC 9457, with what to do in `detail`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import JSONResponse, Response

from watari.errors import BadInput, Busy, NotFound, Stale, Transient

MEDIA_TYPE: Final = "application/problem+json"
AGAIN_S: Final = 5  # when something that is away may be asked for again


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that says what is wrong."""
    body = {"type": "about:blank", "title": _title(status), "status": status, "detail": detail}
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(body, status, kept, MEDIA_TYPE)


def problem_of(error: Exception, *, changing: bool) -> Response:
    """The answer for one of our errors. `changing`: a change was asked for, so bad input is a conflict with what is."""
    match error:
        case NotFound():
            return problem(404, str(error))
        case Stale() | Busy():
            return problem(409, str(error))
        case BadInput():
            return problem(409 if changing else 400, str(error))
        case Transient():
            return problem(503, str(error), {"Retry-After": str(AGAIN_S)})
    return problem(500, str(error))


def _title(status: int) -> str:
    return HTTPStatus(status).phrase
