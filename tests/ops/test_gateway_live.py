"""Live channels through the gateway, to a real Insula behind it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.gateway import nginx
from fixtures.installation import Installation, SignUp, WebServer, free_port
from fixtures.live import live, numbers, stage
from fixtures.sse import reading

READ_SECONDS = 1


@pytest.fixture(scope="module")
def gateway_url(strict: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One that gives up on a replica that is silent for a second; ours sends heartbeats."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    listen = f"127.0.0.1:{free_port()}"
    settings = {
        "GATEWAY_LISTEN": listen,
        "GATEWAY_HEALTH_PORT": str(free_port()),
        "GATEWAY_SERVERS": f"server {strict.url.removeprefix('http://')};",
        "GATEWAY_BODY_LIMIT": "100k",
        "GATEWAY_READ_TIMEOUT": f"{READ_SECONDS}s",
        "GATEWAY_RATE": "10000r/s",
        "GATEWAY_BURST": "10000",
        "GATEWAY_CONNECTIONS": "100",
        "GATEWAY_TRACE_SHARE": "50%",
    }
    with nginx(folder, settings):
        yield f"http://{listen}"


async def test_a_websocket(installation: Installation, sign_up: SignUp, gateway_url: str) -> None:
    async with stage(installation, sign_up) as play, live(play.tenant, url=gateway_url) as client:
        assert (await client.subscribe(play.channel))["type"] == "snapshot"
        await play.publish(1, 2)
        assert await numbers(client, 2) == [1, 2]
        started = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < started + 2 * READ_SECONDS:
            assert json.loads(await client.connection.recv()) == {"type": "heartbeat"}
        await play.publish(3)
        assert await numbers(client, 1) == [3]


async def test_server_sent_events_come_one_by_one(
    installation: Installation, sign_up: SignUp, gateway_url: str
) -> None:
    async with stage(installation, sign_up) as play:
        async with reading(play.tenant, play.channel, url=gateway_url) as reader:
            assert (await reader.next())["type"] == "snapshot"
            for number in (
                1,
                2,
                3,
            ):  # the next is sent when this one has come: nothing is held back
                await play.publish(number)
                assert await reader.numbers(1) == [number]
            last = reader.last_id
        await play.publish(4)
        async with reading(play.tenant, play.channel, url=gateway_url, last=last) as reader:
            assert (await reader.next())["type"] == "resumed"
            assert await reader.numbers(1) == [4]


async def test_the_handshake_is_refused_with_a_status(
    installation: Installation, sign_up: SignUp, gateway_url: str
) -> None:
    tenant = sign_up()
    tenant.http.delete("/api/v1/sessions/current")
    with pytest.raises(Exception, match="401"):
        async with live(tenant, url=gateway_url):
            pass
