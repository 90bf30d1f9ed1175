"""What a request has made is gone with it: the garbage collector's pauses are everybody's."""

import asyncio
import gc
from typing import Any

import msgspec
import pytest
from fixtures.installation import Installation, TestTenant
from insula.app import build
from insula.module import discover

_TIMES = 50


class Client:
    """Calls the application as a server would, and makes no cycles itself."""

    def __init__(self, app: Any, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def get(self, path: str) -> int:
        statuses: list[int] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self._app(self._scope(path), receive, send)
        (status,) = statuses
        return status

    def _scope(self, path: str) -> dict[str, Any]:
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "method": "GET",
            "http_version": "1.1", "scheme": "http", "path": path, "raw_path": path.encode(),
            "root_path": "", "query_string": b"", "headers": list(self._headers), "state": {},
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip


async def _left_by(app: Any, headers: dict[str, str], path: str) -> int:
    """How many objects only the collector can find, after so many requests."""
    events: asyncio.Queue[Any] = asyncio.Queue()
    told: asyncio.Queue[Any] = asyncio.Queue()
    await events.put({"type": "lifespan.startup"})
    scope: Any = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    living = asyncio.create_task(app(scope, events.get, told.put))
    assert (await told.get())["type"] == "lifespan.startup.complete"
    client = Client(app, headers)
    for _ in range(_TIMES):  # fills what is kept
        assert await client.get(path) == 200
    gc.collect()
    gc.disable()
    try:
        for _ in range(_TIMES):
            assert await client.get(path) == 200
        left = gc.collect()
    finally:
        gc.enable()
    await events.put({"type": "lifespan.shutdown"})
    await living
    return left


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Litestar 3, about handlers
def test_a_request_leaves_nothing_to_the_collector(
    installation: Installation, acme: TestTenant
) -> None:
    settings = msgspec.structs.replace(installation.settings, metrics_port=0)
    thresholds = gc.get_threshold()
    try:
        app = build(settings, discover())
        headers = {"Host": "localhost", "Authorization": acme.http.headers["Authorization"]}
        left = asyncio.run(_left_by(app, headers, "/api/v1/me"))
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
    assert left < _TIMES, "of each request something is left"
