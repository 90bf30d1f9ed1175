"""Which jobs somebody may see, over HTTP and on a live channel."""

from typing import Final
from uuid import UUID

from insula.db import RowNotFound, Work
from insula.http.exchange import Caller
from insula.jobs import queries
from insula.jobs.schemas import Job

READ: Final = "jobs:read"
WRITE: Final = "jobs:write"


async def get_visible_job(tx: Work, job_id: UUID, caller: Caller, scope: str = READ) -> Job:
    """A job that the caller has started, or has the scope for.

    Raises:
        RowNotFound: there is none; another user's looks the same.
    """
    job = await tx.one(queries.GET, job=job_id)
    if scope not in caller.scopes and job.actor_id != caller.user_id:
        raise RowNotFound
    return job
