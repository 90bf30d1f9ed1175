"""Channels that every tenant has."""

from typing import Final
from uuid import UUID

from insula.access import SIGNED_IN
from insula.db import Work
from insula.http.exchange import Caller
from insula.http.problem import NotFound
from insula.jobs.queries import GET as GET_JOB
from insula.jobs.schemas import Job
from insula.jobs.visible import get_visible_job
from insula.realtime.publisher import EVENTS
from insula.realtime.types import Channel


async def _only_oneself(tx: Work, caller: Caller | None, user_id: UUID) -> None:
    assert caller is not None  # the right sees to it
    if caller.user_id != user_id:
        raise NotFound


async def _who_may_see_the_job(tx: Work, caller: Caller | None, job_id: UUID) -> None:
    assert caller is not None
    await get_visible_job(tx, job_id, caller)


async def _job(tx: Work, caller: Caller | None, job_id: UUID) -> Job:
    return await tx.one(GET_JOB, job=job_id)


CORE_CHANNELS: Final = (
    Channel(pattern="users/{user_id:uuid}", right=SIGNED_IN, authorize=_only_oneself),
    Channel(pattern=EVENTS, right="events:read"),
    Channel(
        pattern="jobs/{job_id:uuid}",
        right=SIGNED_IN,
        authorize=_who_may_see_the_job,
        snapshot=_job,
    ),
)
"""``users/<id>``: what is for one user alone, such as reminders. ``events``: every event of the
tenant, as ``GET /api/v1/events`` has them. ``jobs/<id>``: how far a job is, for whoever started it
and for those who may see all."""
