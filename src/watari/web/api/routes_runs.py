"""The routes of version 1: plans and runs."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from watari.web.api import models as m
from watari.web.api.context import (
    LARGEST_INT,
    After,
    Ctx,
    Decider,
    Id,
    Limit,
    OfCloud,
    Reader,
    by,
)

router = APIRouter()


@router.get("/plans", tags=["plans"], response_model=m.Items[m.Plan])
async def plans(
    request: Request,
    api: Ctx,
    caller: Reader,
    cloud: OfCloud = None,
    state: Annotated[list[m.PlanState] | None, Query(max_length=10)] = None,
    after: After = None,
    limit: Limit = 50,
) -> Response:
    """Plans of controllers and of people, newest first; `state` may be given several times."""
    return await api.read(request, m.Items[m.Plan], lambda: api.desk.plans(cloud, state or (), after, limit))


@router.post("/plans", tags=["plans"], status_code=201, response_model=m.PlanDetails)
async def ask_for_plan(
    request: Request, response: Response, api: Ctx, caller: Decider, wanted: m.PlanRequest
) -> m.PlanDetails:
    """Read the cloud and plan now; the answer comes when that is done. The plan waits to be approved."""
    made = await api.slow(lambda: api.desk.propose(wanted, by(request, caller)))
    return _created(response, made)


@router.get("/plans/{plan}", tags=["plans"], response_model=m.PlanDetails)
async def plan(request: Request, api: Ctx, caller: Reader, plan: Id) -> Response:
    """A plan whole: operations with reasons and costs, refusals, findings, what is predicted."""
    return await api.read(request, m.PlanDetails, lambda: api.desk.plan(plan))


@router.post("/plans/{plan}/approve", tags=["plans"], response_model=m.Plan)
async def approve(request: Request, api: Ctx, caller: Decider, plan: Id, decision: m.Decision) -> m.Plan:
    """Agree: it begins within seconds, after it was judged again. Asked twice it answers the same."""
    return await api.change(lambda: api.desk.decide(plan, True, decision.why, by(request, caller)))


@router.post("/plans/{plan}/reject", tags=["plans"], response_model=m.Plan)
async def reject(request: Request, api: Ctx, caller: Decider, plan: Id, reason: m.Reason) -> m.Plan:
    """Say no: the same servers are not proposed again until it would have expired."""
    return await api.change(lambda: api.desk.decide(plan, False, reason.why, by(request, caller)))


@router.get("/runs", tags=["runs"], response_model=m.Items[m.Run])
async def runs(
    request: Request,
    api: Ctx,
    caller: Reader,
    cloud: OfCloud = None,
    open: bool = False,
    after: After = None,
    limit: Limit = 50,
) -> Response:
    """Runs, newest first; `open`: only those that are not over."""
    return await api.read(request, m.Items[m.Run], lambda: api.desk.runs(cloud, open, after, limit))


@router.get("/runs/{run}", tags=["runs"], response_model=m.RunDetails)
async def run(request: Request, api: Ctx, caller: Reader, run: Id) -> Response:
    """A run with every operation and its steps."""
    return await api.read(request, m.RunDetails, lambda: api.desk.run(run))


@router.get("/runs/{run}/journal", tags=["runs"], response_model=m.Items[m.JournalLine])
async def journal(
    request: Request,
    api: Ctx,
    caller: Reader,
    run: Id,
    after: Annotated[int, Query(ge=0, le=LARGEST_INT)] = 0,
    limit: Limit = 200,
) -> Response:
    """What was written down before and after every change, oldest first."""
    return await api.read(request, m.Items[m.JournalLine], lambda: api.desk.journal(run, after, limit))


@router.post("/runs/{run}/stop", tags=["runs"], response_model=m.Run)
async def stop_run(request: Request, api: Ctx, caller: Decider, run: Id, decision: m.Decision) -> m.Run:
    """Finish what is under way and begin nothing more."""
    return await api.change(lambda: api.desk.stop_run(run, decision.why, by(request, caller)))


@router.post("/runs/{run}/cancel", tags=["runs"], response_model=m.Run)
async def cancel_run(request: Request, api: Ctx, caller: Decider, run: Id, decision: m.Decision) -> m.Run:
    """Abort what is under way, skip what has not begun. What has arrived stays: see undo."""
    return await api.change(lambda: api.desk.cancel_run(run, decision.why, by(request, caller)))


@router.post("/runs/{run}/resume", tags=["runs"], response_model=m.Run)
async def resume_run(request: Request, api: Ctx, caller: Decider, run: Id, decision: m.Decision) -> m.Run:
    """Go on with a run that was stopped."""
    return await api.change(lambda: api.desk.resume_run(run, decision.why, by(request, caller)))


@router.post("/runs/{run}/undo", tags=["runs"], status_code=201, response_model=m.PlanDetails)
async def undo_run(
    request: Request, response: Response, api: Ctx, caller: Decider, run: Id, decision: m.Decision
) -> m.PlanDetails:
    """The way back of a run that is over, as a plan that waits to be approved."""
    return _created(response, await api.slow(lambda: api.desk.undo_run(run, decision.why, by(request, caller))))


def _created(response: Response, made: m.PlanDetails) -> m.PlanDetails:
    response.headers["Location"] = f"/v1/plans/{made.id}"
    return made
