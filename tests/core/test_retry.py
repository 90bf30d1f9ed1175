"""A request whose cached plan a migration has changed under it is run again, as if for the first
time."""

from typing import Any

import asyncpg
import pytest
from insula import app
from insula.access import PUBLIC
from insula.db import RowNotFound
from insula.settings import Settings
from litestar import Router, get
from litestar.testing import TestClient
from litestar.types import Receive, Scope, Send

# Arguments in the style that our handlers use, which Litestar 3 will not take.
pytestmark = pytest.mark.filterwarnings(
    "ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning"
)
CHANGED = asyncpg.InvalidCachedStatementError("cached statement plan is invalid")


def answers(monkeypatch: pytest.MonkeyPatch, *outcomes: Exception | None) -> tuple[int, int]:
    """The status of a request whose attempts end so, and how many there were."""
    left = list(outcomes)

    @get("/things", right=PUBLIC, tenantless=True)
    async def things(size: int = 1) -> list[str]:
        if (outcome := left.pop(0)) is not None:
            raise outcome
        return []

    monkeypatch.setattr(app, "TENANCY", Router("/api/v1", route_handlers=[things]))
    monkeypatch.setattr("insula.collector.freeze", lambda: None)
    settings = Settings(
        database_url="postgresql:///nowhere",
        redis_url="unix:///nowhere",
        secret_key="x" * 32,
        access_log=False,
    )
    gate = app.build(settings, {})

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})  # as Granian hands it over, one for all attempts
        await gate(scope, receive, send)

    asgi: Any = served
    # A host without a dot is nobody's domain: there is no database to ask.
    with TestClient(asgi) as client:
        status = client.get("/api/v1/things", headers={"Host": "localhost"}).status_code
    return status, len(outcomes) - len(left)


def test_second_attempt_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers(monkeypatch, CHANGED, None) == (200, 2)


def test_error_of_the_second_attempt_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers(monkeypatch, CHANGED, RowNotFound()) == (404, 2)


def test_a_plan_may_be_stale_on_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers(monkeypatch, *[CHANGED] * 9, None) == (200, 10)


def test_tenth_failure_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers(monkeypatch, *[CHANGED] * 10) == (503, 10)


def test_other_errors_are_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers(monkeypatch, RowNotFound(), None) == (404, 1)
