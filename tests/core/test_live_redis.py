"""Redis is stopped and started again under the feet of those who watch."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fixtures.installation import Installation, SignUp, WebServer
from fixtures.live import LiveClient, Stage, live, numbers, replica, stage
from insula.embedded import EmbeddedServers
from insula.http.redis_line import RedisDown
from insula.settings import Settings


@dataclass
class Apart:
    """A replica with a Redis of its own, which keeps what it knows over a stop."""

    installation: Installation
    """What publishes to that Redis."""
    web: WebServer
    servers: EmbeddedServers

    async def stop_redis(self) -> None:
        (redis,) = self.servers.running
        await asyncio.to_thread(redis.stop)

    def start_redis(self) -> None:
        """In the thread that lives on: the server ends with the thread that started it."""
        (redis,) = self.servers.running
        redis.start()
        redis.wait_ready()


@pytest.fixture(scope="module")
def apart(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    folder: Path = tmp_path_factory.mktemp("redis")
    with EmbeddedServers(folder, postgres=False) as servers:
        url = {"INSULA_REDIS_URL": servers.redis_url}
        environ = installation.environ | url
        beside = replace(installation, settings=Settings.load(environ), environ=environ)
        with replica(beside, INSULA_LIVE_RECHECK_SECONDS="0.3") as web:
            yield Apart(beside, web, servers)


async def publish(play: Stage, number: int) -> None:
    """As soon as Redis takes it again."""
    async with asyncio.timeout(60):
        while True:
            with suppress(RedisDown):
                return await play.publish(number)
            await asyncio.sleep(0.05)


async def test_who_watches_stays_and_misses_nothing(apart: Apart, sign_up: SignUp) -> None:
    async with (
        stage(apart.installation, sign_up) as play,
        live(play.tenant, url=apart.web.url) as client,
    ):
        await client.subscribe(play.channel)
        await play.publish(1, 2)
        assert await numbers(client, 2) == [1, 2]
        before = client.received[-1]["id"]
        await apart.stop_redis()
        try:
            with pytest.raises(RedisDown):
                await play.publish(99)
            assert await _is_open(client)
        finally:
            apart.start_redis()
        await publish(play, 3)
        await publish(play, 4)
        assert await numbers(client, 2) == [3, 4]
        async with live(play.tenant, url=apart.web.url) as other:
            assert (await other.subscribe(play.channel, after=before))["type"] == "resumed"
            assert await numbers(other, 2) == [3, 4]


async def _is_open(client: LiveClient) -> bool:
    """Whether the service still answers."""
    await client.send(ping=1)
    return await client.until("pong") == {"type": "pong", "ping": 1}
