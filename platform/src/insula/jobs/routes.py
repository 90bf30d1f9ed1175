"""``/api/v1/jobs``."""

from typing import Any
from uuid import UUID

import asyncpg
from litestar import Request, Router, get, post

from insula.access import SIGNED_IN
from insula.db import Work
from insula.http.exchange import Caller
from insula.http.listing import Page
from insula.http.problem import Problem
from insula.i18n import say
from insula.jobs import events, queries
from insula.jobs.schemas import Job, JobLine
from insula.jobs.visible import READ, WRITE, get_visible_job
from insula.telemetry.context import traceparent


class JobOver(Problem):
    """The job is over already: it can be replayed if it failed, but not called off."""

    status, slug, title = 409, "jobs-over", "The job is over"


class JobNotOver(Problem):
    """Only a job that failed or was called off can be replayed; this one waits, runs, or has done
    what it was to do."""

    status, slug, title = 409, "jobs-not-replayable", "The job cannot be replayed"


class JobReplaced(Problem):
    """Another job of the same key waits already: it would be done twice."""

    status, slug, title = 409, "jobs-replaced", "Another job has taken its place"


@get("/", right=READ, listing=queries.LIST)
async def list_jobs(request: Request[Any, Any, Any], tx: Work) -> Page[JobLine]:
    """Jobs of the tenant, the newest first; `?status=failed` shows the dead letters."""
    return await queries.LIST.page(tx, request)


@get("/{job_id:uuid}", right=SIGNED_IN)
async def get_job(job_id: UUID, tx: Work, caller: Caller) -> Job:
    """How far a job is, for whoever started it and for those who may see all."""
    return await get_visible_job(tx, job_id, caller)


@post("/{job_id:uuid}/cancel", right=SIGNED_IN, status_code=200, problems=(JobOver,))
async def cancel_job(job_id: UUID, tx: Work, caller: Caller) -> Job:
    """Call a job off, as whoever started it or with the right to write. One that runs is stopped
    within seconds; what it has done by then stays."""
    job = await get_visible_job(tx, job_id, caller, WRITE)
    if not await tx.execute(queries.CANCEL, job=job_id):
        raise JobOver(say("It has {status} already.", status=job.status))
    await tx.execute(queries.SPOOL, body=_asked(job) | {"cancel": True})
    cancelled = await tx.one(queries.GET, job=job_id)
    if job.actor_id is not None:
        await events.tell(tx, events.CANCELLED, _change(cancelled), job.actor_id)
    return cancelled


@post("/{job_id:uuid}/replay", right=WRITE, status_code=200, problems=(JobNotOver, JobReplaced))
async def replay_job(job_id: UUID, tx: Work) -> Job:
    """Have a dead letter tried again, with as many attempts as a new job."""
    job = await tx.one(queries.GET, job=job_id)
    try:
        again = await tx.execute(queries.REPLAY, job=job_id)
    except asyncpg.UniqueViolationError as error:
        raise JobReplaced(say("A job of the key '{key}' waits.", key=job.key)) from error
    if not again:
        raise JobNotOver(say("It is {status}.", status=job.status))
    await tx.execute(queries.SPOOL, body=_asked(job))
    return await tx.one(queries.GET, job=job_id)


def _asked(job: Job) -> dict[str, Any]:
    return {"job_id": job.id, "name": job.name, "traceparent": traceparent.get()}


def _change(job: Job) -> events.JobChanged:
    return events.JobChanged(job.id, job.name, job.status, job.done, job.total, job.note, job.error)


ROUTER = Router(
    path="/api/v1/jobs",
    route_handlers=[list_jobs, get_job, cancel_job, replay_job],
    tags=["Jobs"],
)
