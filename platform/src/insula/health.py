"""``/health/live`` and ``/health/ready``."""

import os
from pathlib import Path

import msgspec
from litestar import Response, Router, get
from sqlalchemy import literal_column, select

from insula import __version__
from insula.access import PUBLIC
from insula.db import Database, Statement
from insula.http.redis_line import RedisLine
from insula.tenancy.provisioning import CATALOGUE_PRELUDE

_PING = Statement(select(literal_column("1")), int)


class Health(msgspec.Struct):
    status: str
    version: str
    checks: dict[str, str]


@get("/live", right=PUBLIC, tenantless=True)
async def live() -> Health:
    """The process answers."""
    return Health("ok", __version__, {})


@get("/ready", right=PUBLIC, tenantless=True)
async def ready(catalogue: Database, redis: RedisLine) -> Response[Health]:
    """The process can serve. Without Redis it can, with limits open and privileged rights closed;
    without PostgreSQL, or while it is being drained, it cannot."""
    checks = {
        "postgresql": "ok" if await _answers(catalogue) else "down",
        "redis": "ok" if redis.is_up else "down: limits open, privileged rights closed",
        "drain": "draining" if _is_draining() else "ok",
    }
    failed = checks["postgresql"] != "ok" or checks["drain"] != "ok"
    degraded = checks["redis"] != "ok"
    status = "unavailable" if failed else "degraded" if degraded else "ok"
    return Response(Health(status, __version__, checks), status_code=503 if failed else 200)


async def _answers(catalogue: Database) -> bool:
    try:
        work = catalogue.work(0, CATALOGUE_PRELUDE, writes=False)
        return await work.one(_PING) == 1
    except Exception:
        return False


def _is_draining() -> bool:
    """`insula serve` makes this file on SIGTERM."""
    flag = os.environ.get("INSULA_DRAIN_FILE", "")
    return flag != "" and Path(flag).exists()


ROUTER = Router(path="/health", route_handlers=[live, ready], tags=["Health"])
