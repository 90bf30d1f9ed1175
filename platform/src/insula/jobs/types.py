"""Kinds of jobs, and what a running one is given."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from insula.db import Work
from insula.tenancy.tenant import Tenant

A = TypeVar("A")


class JobContext(Protocol):
    """What a running job may use. Its tenant is bound already."""

    job_id: UUID
    tenant: Tenant
    attempt: int
    """1 for the first."""
    services: dict[str, Any]
    """The platform's services by name: ``settings``, ``redis``, ``mailer``, ``files``, ``egress``
    …"""

    def transaction(self) -> AbstractAsyncContextManager[Work]:
        """A transaction of the tenant; a job may open several."""

    def reading(self) -> Work:
        """For reads alone: each statement by itself."""

    async def progress(self, done: int, total: int, note: str = "") -> None:
        """Tell how far it is; seen at ``/api/v1/jobs/{id}`` and as events."""


@dataclass(frozen=True, kw_only=True)
class Job(Generic[A]):
    """A kind of job. ``run`` may be called again after a crash: it has to be idempotent."""

    name: str
    """``<module>.<imperative>``: ``tasks.remind``."""
    args: type[A]
    """The struct of its arguments, kept as JSON."""
    run: Callable[[JobContext, A], Awaitable[Any]]
    """What it returns (None, or something that JSON can say) is the job's result."""
    summary: str = ""
    attempts: int = 5
    """How often it is tried; then it is a dead letter, which an admin may replay."""
    timeout: timedelta = timedelta(minutes=5)
    """How long one attempt may take; then it is stopped and counts as failed."""
    backoff: timedelta = timedelta(seconds=10)
    """The pause after the first failure; each further one is twice as long, give or take half."""
    backoff_limit: timedelta = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Cron:
    """Something to do for the whole installation at fixed times, by one worker only."""

    name: str
    schedule: str
    """Five fields, in UTC: ``0 3 * * *``."""
    run: Callable[[dict[str, Any]], Awaitable[None]]
    """Takes the worker's services."""
