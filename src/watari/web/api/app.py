"""The API and the page as one ASGI application."""

import logging
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from watari import __version__
from watari.errors import WatariError
from watari.web.api import models as m
from watari.web.api import routes, routes_live, routes_runs
from watari.web.api.callers import Unauthorised
from watari.web.api.context import Api, Forbidden
from watari.web.api.guards import READING, SameOrigin, SmallBodies
from watari.web.api.rates import TooMuch
from watari.web.headers import LoopbackOnly, SecurityHeaders
from watari.web.problems import MEDIA_TYPE, problem, problem_of

log = logging.getLogger(__name__)
VERSION: Final = "/v1"
_PROBLEM: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": text, "content": _PROBLEM}
    for status, text in {
        400: "The request means nothing.",
        401: "No token, or none of ours.",
        403: "This caller may not do this.",
        404: "There is no such thing.",
        409: "It cannot be done any more; `detail` says what has become of it.",
        413: "The body is too large.",
        422: "The request is not as described here.",
        429: "Too many requests: see Retry-After.",
        500: "A bug, or something outside that has to be mended first.",
        503: "The database, the cloud or Keystone does not answer: see Retry-After.",
    }.items()
}


def create_api(api: Api, *, loopback: bool) -> FastAPI:
    """The application. `loopback`: it is served there, so it answers to no other name."""
    guards = [Middleware(SameOrigin), Middleware(SmallBodies)]
    app = FastAPI(
        title="Watari", version=__version__, summary="The operations suite for OpenStack private clouds",
        openapi_url=f"{VERSION}/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
        middleware=[Middleware(SecurityHeaders), *([Middleware(LoopbackOnly)] if loopback else []), *guards],
    )  # fmt: skip
    app.state.api = api
    for router in (routes.router, routes_live.router, routes_runs.router):
        app.include_router(router, prefix=VERSION, responses=_ERRORS)
    app.router.routes += [Route("/healthz", _alive), Route("/readyz", _ready(api)), *_page()]
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    for kind in (WatariError, Unauthorised, Forbidden, TooMuch):
        app.add_exception_handler(kind, _watari_error)
    app.add_exception_handler(Exception, _bug)
    describe = app.openapi

    def described() -> dict[str, Any]:
        """With the one schema that no route answers by itself."""
        whole = describe()
        schema = m.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        whole["components"]["schemas"].setdefault("Problem", schema)
        return whole

    app.openapi = described  # type: ignore[method-assign]
    return app


def _page() -> list[Route | Mount]:
    static = Path(str(files("watari.web") / "static"))

    async def page(request: Request) -> Response:
        return FileResponse(static / "index.html", headers={"Cache-Control": "no-cache"})

    return [Route("/", page), Mount("/static", StaticFiles(directory=static))]


async def _alive(request: Request) -> Response:
    """The process serves: no thread is needed to say so."""
    return Response("ok\n", media_type="text/plain")


def _ready(api: Api) -> Any:
    async def ready(request: Request) -> Response:
        """Its database answers."""
        try:
            await api.look(api.desk.stops)
        except WatariError as e:
            log.warning("not ready: %s", e)
            return Response("the database does not answer\n", 503, media_type="text/plain")
        return Response("ok\n", media_type="text/plain")

    return ready


def _watari_error(request: Request, error: Exception) -> Response:
    match error:
        case Unauthorised():
            return problem(401, str(error), {"WWW-Authenticate": 'Bearer realm="watari"'})
        case Forbidden():
            return problem(403, str(error))
        case TooMuch(after_s=after_s):
            return problem(429, str(error), {"Retry-After": str(after_s)})
    return problem_of(error, changing=request.method not in READING)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Where and what, never the value: it may be a secret in the wrong place.
    wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:10]]
    return problem(422, "; ".join(wrong))


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"there is no {request.url.path} here; {VERSION}/openapi.json lists what there is"
    return problem(error.status_code, detail, error.headers)


def _bug(request: Request, error: Exception) -> Response:
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return problem(500, "this is a bug; the log of the controller has it")
