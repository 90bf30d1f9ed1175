"""``/health/live`` and ``/health/ready``."""

from typing import Annotated, Literal

import msgspec
from litestar import Response, Router, get
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Meta
from sqlalchemy import literal_column, select

from insula import __version__
from insula.access import PUBLIC
from insula.db import Database, Statement
from insula.http.drain import Drain
from insula.http.redis_line import RedisLine
from insula.tenancy.cells import CATALOGUE_PRELUDE

_PING = Statement(select(literal_column("1")), int)


Status = Literal["ok", "degraded", "unavailable"]


class Health(msgspec.Struct):
    """How the process is."""

    status: Status
    version: Annotated[str, Meta(examples=[__version__])]
    checks: Annotated[dict[str, str], Meta(examples=[{"postgresql": "ok", "redis": "ok"}])]
    """What it depends on, and what is the matter with each."""


@get("/live", right=PUBLIC, tenantless=True)
async def live() -> Health:
    """The process answers."""
    return Health("ok", __version__, {})


@get(
    "/ready",
    right=PUBLIC,
    tenantless=True,
    responses={503: ResponseSpec(Health, generate_examples=False, description="It cannot.")},
)
async def ready(catalogue: Database, redis: RedisLine, drain: Drain) -> Response[Health]:
    """The process can serve. Without Redis it can, with limits open and privileged rights closed;
    without PostgreSQL, or while it is being drained, it cannot."""
    checks = {
        "postgresql": "ok" if await _answers(catalogue) else "down",
        "redis": "ok" if redis.is_up else "down: limits open, privileged rights closed",
        "drain": "draining" if drain.active else "ok",
    }
    failed = checks["postgresql"] != "ok" or checks["drain"] != "ok"
    degraded = checks["redis"] != "ok"
    status: Status = "unavailable" if failed else "degraded" if degraded else "ok"
    return Response(Health(status, __version__, checks), status_code=503 if failed else 200)


async def _answers(catalogue: Database) -> bool:
    try:
        work = catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
        return await work.one(_PING) == 1
    except Exception:
        return False


ROUTER = Router(path="/health", route_handlers=[live, ready], tags=["Health"])
