"""The routes of version 1: clouds, findings, stops, policies, the record of changes."""

import gzip
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from watari.errors import BadInput, NotFound, Transient
from watari.web.api import models as m
from watari.web.api.context import (
    LARGEST_INT,
    Admin,
    Api,
    CloudName,
    Ctx,
    Decider,
    Limit,
    Reader,
    ServerId,
    Stopper,
    WhyQuery,
    by,
)
from watari.web.api.policies import compared, judged
from watari.web.hub import Hub

router = APIRouter()


@router.get("/me", tags=["callers"], response_model=m.Me)
async def me(api: Ctx, caller: Reader) -> m.Me:
    """Who you are here, and what you may do."""
    return m.Me(user=caller.user, roles=list(caller.roles), may=list(api.rules.allowed(caller)))


@router.get("/clouds", tags=["clouds"], response_model=m.Items[m.Cloud])
async def clouds(request: Request, api: Ctx, caller: Reader) -> Response:
    """Every cloud that a controller looks after, or did."""
    return await api.read(request, m.Items[m.Cloud], lambda: m.Items(items=list(api.desk.clouds())))


@router.get("/clouds/{cloud}", tags=["clouds"], response_model=m.Cloud)
async def cloud(request: Request, api: Ctx, caller: Reader, cloud: CloudName) -> Response:
    """One cloud: what its controller sees and does."""

    def found() -> m.Cloud:
        if (one := next((one for one in api.desk.clouds() if one.name == cloud), None)) is None:
            raise NotFound(f"no controller has ever looked after {cloud}")
        return one

    return await api.read(request, m.Cloud, found)


@router.delete("/clouds/{cloud}", tags=["clouds"], status_code=204)
async def forget_cloud(request: Request, api: Ctx, caller: Admin, cloud: CloudName) -> Response:
    """Forget a cloud that nobody looks after any more, with what was learned of it."""
    await api.change(lambda: api.desk.forget(cloud, by(request, caller)))
    return Response(status_code=204)


@router.get("/clouds/{cloud}/findings", tags=["checks"], response_model=m.Items[m.Finding])
async def findings(request: Request, api: Ctx, caller: Reader, cloud: CloudName) -> Response:
    """What a person should look at, as of the last look."""
    return await api.read(request, m.Items[m.Finding], lambda: m.Items(items=list(api.desk.findings(cloud))))


@router.get("/clouds/{cloud}/state", tags=["live picture"], response_model=None, responses={200: {"model": dict}})
async def state(request: Request, api: Ctx, caller: Reader, cloud: CloudName) -> Response:
    """The cloud as the page draws it: hosts, servers and their loads as columns, moves under way."""
    hub = await api.look(lambda: hub_of(api, cloud))
    body = await api.look(hub.state_json)
    if body is None:
        raise Transient(f"{cloud} has not been looked at yet; try again in a moment")
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        body = await api.look(partial(gzip.compress, body, 5))
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="application/json", headers=headers)


@router.get(
    "/clouds/{cloud}/servers/{server}", tags=["live picture"], response_model=None, responses={200: {"model": dict}}
)
async def server(api: Ctx, caller: Reader, cloud: CloudName, server: ServerId) -> dict[str, object]:
    """One server: its load, its history of moves, why it is or is not a candidate."""

    def found() -> dict[str, object]:
        if (details := hub_of(api, cloud).details(server)) is None:
            raise NotFound(f"{cloud} has no server with the id {server}")
        return dict(details)

    return await api.look(found)


@router.get(
    "/clouds/{cloud}/snapshot", tags=["clouds"], response_class=Response, responses={200: {"model": dict[str, Any]}}
)
async def snapshot(api: Ctx, caller: Reader, cloud: CloudName) -> Response:
    """The last reading of the cloud as a snapshot file: `watari plan balance --snapshot FILE` plans on it."""
    body = await api.look(lambda: api.desk.snapshot(cloud))
    if body is None:
        raise Transient(f"{cloud} has not been looked at here yet: GET /v1/clouds/{cloud} says who looks after it")
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get("/history", tags=["history"], response_model=m.Items[m.History])
async def histories(request: Request, api: Ctx, caller: Reader) -> Response:
    """What is kept of each cloud's past; POST /v1/policies/replay plays it, and each server shows its part."""
    return await api.read(request, m.Items[m.History], lambda: m.Items(items=list(api.desk.histories())))


@router.get("/stops", tags=["stop switch"], response_model=m.Items[m.Stop])
async def stops(request: Request, api: Ctx, caller: Reader) -> Response:
    """The switches that are set."""
    return await api.read(request, m.Items[m.Stop], lambda: m.Items(items=list(api.desk.stops())))


@router.put("/stops", tags=["stop switch"], response_model=m.Stop)
async def stop_all(request: Request, api: Ctx, caller: Stopper, reason: m.Reason) -> m.Stop:
    """Nothing new begins on any cloud, whoever wants it; what moves already arrives."""
    return await api.change(lambda: api.desk.set_stop("", reason.why, by(request, caller)))


@router.delete("/stops", tags=["stop switch"], response_model=m.Stop)
async def go_all(request: Request, api: Ctx, caller: Stopper, why: WhyQuery = "") -> m.Stop:
    """Lift the switch of all clouds; answers what it was set for."""
    return await api.change(lambda: api.desk.lift_stop("", why, by(request, caller)))


@router.put("/stops/{cloud}", tags=["stop switch"], response_model=m.Stop)
async def stop_cloud(request: Request, api: Ctx, caller: Stopper, cloud: CloudName, reason: m.Reason) -> m.Stop:
    """The same for one cloud."""
    return await api.change(lambda: api.desk.set_stop(cloud, reason.why, by(request, caller)))


@router.delete("/stops/{cloud}", tags=["stop switch"], response_model=m.Stop)
async def go_cloud(request: Request, api: Ctx, caller: Stopper, cloud: CloudName, why: WhyQuery = "") -> m.Stop:
    """Lift the switch of one cloud."""
    return await api.change(lambda: api.desk.lift_stop(cloud, why, by(request, caller)))


@router.get("/policies", tags=["policies"], response_model=m.Items[m.PolicyShown])
async def policies(request: Request, api: Ctx, caller: Reader) -> Response:
    """The shipped policies, and those in force (in force:CLOUD)."""

    def found() -> m.Items[m.PolicyShown]:
        return m.Items(items=[api.desk.policy(ref) for ref in api.desk.policies()])

    return await api.read(request, m.Items[m.PolicyShown], found)


@router.post("/policies/validate", tags=["policies"], response_model=m.PolicyCheck)
async def validate_policy(api: Ctx, caller: Reader, policy: m.PolicyText) -> m.PolicyCheck:
    """Whether a text is a policy, and if not, everything that is wrong with it."""
    return await api.judge(lambda: judged(policy.text))


@router.post("/policies/diff", tags=["policies"], response_model=m.Items[m.PolicyChange])
async def diff_policies(api: Ctx, caller: Reader, two: m.TwoPolicies) -> m.Items[m.PolicyChange]:
    """What differs in meaning between two policies; each is a text, or the name of one in GET /v1/policies."""
    return await api.judge(lambda: m.Items(items=compared(api.desk, two)))


@router.post("/policies/replay", tags=["policies"], response_model=m.Played)
async def what_if(api: Ctx, caller: Decider, wanted: m.WhatIf) -> m.Played:
    """What a policy would have done with the last days of a cloud; the answer comes when they are played, in minutes.

    One at a time: 409 meanwhile.
    """
    return await api.slow(lambda: api.desk.what_if(wanted))


@router.get("/audit", tags=["record of changes"], response_model=m.Items[m.AuditLine])
async def audit(
    request: Request,
    api: Ctx,
    caller: Admin,
    after: Annotated[int | None, Query(ge=1, le=LARGEST_INT)] = None,
    limit: Limit = 50,
) -> m.Items[m.AuditLine]:
    """Who changed what and why, newest first."""
    return await api.look(lambda: api.desk.audit(after, limit))


def hub_of(api: Api, cloud: str) -> Hub:
    """The live picture. Raises NotFound for an unknown cloud, BadInput when another process has it."""
    if (hub := api.desk.hub(cloud)) is None:
        raise BadInput(f"another process looks after {cloud}: GET /v1/clouds/{cloud} says which")
    return hub
