"""Live channels over a WebSocket: who may connect, what is said, what is refused."""

import asyncio
import json
from typing import Any

import pytest
from fixtures.command import CommandLine
from fixtures.installation import Installation, SignUp, TestTenant, WebServer
from fixtures.live import LiveClient, live, numbers, socket_url, stage
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


def token_of(tenant: TestTenant) -> str:
    token: str = tenant.owner.tokens["access_token"]
    return token


async def test_a_snapshot_comes_first_then_what_happens(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play, live(play.tenant) as client:
        first = await client.subscribe(play.channel)
        assert first["type"] == "snapshot"
        assert first["channel"] == play.channel
        assert first["data"]["title"] == "Roof garden"
        await play.publish(1, 2, 3)
        assert await numbers(client, 3) == [1, 2, 3]
        last = client.received[-1]
        assert last["channel"] == play.channel
        assert last["id"] > first["id"]
        assert last["time"].endswith("Z")


async def test_unsubscribing_ends_one_channel_only(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play, live(play.tenant) as client:
        await client.subscribe(play.channel)
        await client.subscribe("events")
        await client.send(unsubscribe=play.channel)
        assert await client.until("unsubscribed") == {
            "type": "unsubscribed",
            "channel": play.channel,
        }
        await play.publish(1)
        await play.publish(2, channel="events")
        assert await numbers(client, 1) == [2]


async def test_a_browser_shows_its_token_as_a_subprotocol(acme: TestTenant) -> None:
    protocols: Any = ["insula.v1", f"bearer.{token_of(acme)}"]
    async with connect(socket_url(acme.url), subprotocols=protocols) as connection:
        assert connection.subprotocol == "insula.v1"
        assert (await LiveClient(connection).subscribe("events"))["type"] == "snapshot"


async def test_a_ticket_opens_one_connection(acme: TestTenant) -> None:
    ticket = acme.http.post("/api/v1/realtime/tickets").json()["ticket"]
    url = socket_url(acme.url, f"?ticket={ticket}")
    elsewhere: Any = "https://elsewhere.example"
    async with connect(url, origin=elsewhere) as connection:
        assert (await LiveClient(connection).subscribe("events"))["type"] == "snapshot"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url)
    assert refused.value.response.status_code == 401
    problem = json.loads(refused.value.response.body or b"")
    assert problem["type"] == "/docs/problems/ticket-rejected"


async def test_a_token_may_be_shown_in_the_first_message(acme: TestTenant) -> None:
    async with connect(socket_url(acme.url)) as connection:
        client = LiveClient(connection)
        refused = await client.subscribe("events")
        assert refused["type"] == "error"
        assert refused["problem"]["type"] == "/docs/problems/tenant-required"
        await client.send(authenticate=token_of(acme))
        assert (await client.next())["type"] == "authenticated"
        assert (await client.subscribe("events"))["type"] == "snapshot"


async def test_a_bad_token_in_a_message_ends_the_connection(acme: TestTenant) -> None:
    async with connect(socket_url(acme.url)) as connection:
        client = LiveClient(connection)
        await client.send(authenticate="not.a.token")
        assert (await client.closed())[0] == 4401


async def test_another_users_token_ends_the_connection(acme: TestTenant) -> None:
    member = acme.add_user()
    async with live(acme) as client:
        await client.send(authenticate=member.tokens["access_token"])
        assert (await client.closed())[0] == 4403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer x.y.z"}, 401),
        ({"Authorization": "Basic eDp5"}, 401),
        ({"Insula-Tenant": "nobody-has-this-slug"}, 404),
    ],
)
async def test_a_handshake_is_refused_with_a_problem(
    installation: Installation, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(socket_url(installation.url), additional_headers=headers)
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["status"] == status


async def test_a_token_opens_no_other_tenant(sign_up: SignUp) -> None:
    ours, theirs = sign_up(), sign_up()
    headers = {"Authorization": f"Bearer {token_of(ours)}", "Insula-Tenant": theirs.slug}
    with pytest.raises(InvalidStatus) as refused:
        await connect(socket_url(ours.url), additional_headers=headers)
    assert refused.value.response.status_code == 403


async def test_no_tenant_hears_another(installation: Installation, sign_up: SignUp) -> None:
    stranger = sign_up("notes")
    async with (
        stage(installation, sign_up) as play,
        live(play.tenant) as client,
        live(stranger) as outsider,
    ):
        assert (await outsider.subscribe(play.channel))["problem"]["status"] == 404
        assert (await outsider.subscribe("events"))["type"] == "snapshot"
        await client.subscribe("events")
        await play.publish(1, channel="events")
        assert await numbers(client, 1) == [1]  # by now it has been handed out to everybody
        assert await outsider.is_silent()


async def test_channels_ask_for_their_right(installation: Installation, sign_up: SignUp) -> None:
    async with stage(installation, sign_up) as play:
        customer = play.tenant.add_user("customer")
        me = customer.http.get("/api/v1/me").json()["user"]["id"]
        owner = play.tenant.http.get("/api/v1/me").json()["user"]["id"]
        async with live(play.tenant, customer) as client:
            assert (await client.subscribe(play.channel))["problem"]["status"] == 403
            assert (await client.subscribe("events"))["problem"]["status"] == 403
            assert (await client.subscribe(f"users/{owner}"))["problem"]["status"] == 404
            assert (await client.subscribe(f"users/{me}"))["type"] == "snapshot"


@pytest.mark.parametrize(
    "channel",
    ["", "nothing", "notes", "notes/", "notes/x", "../notes", "notes/*", "users/{user_id}", "\0",
     "é" * 200, "x" * 5000],
)  # fmt: skip
async def test_what_is_no_channel_is_not_found(acme: TestTenant, channel: str) -> None:
    async with live(acme) as client:
        assert (await client.subscribe(channel))["problem"]["status"] == 404


async def test_a_module_that_is_off_has_no_channels(acme: TestTenant) -> None:
    async with live(acme) as client:
        refused = await client.subscribe("notes/01890000-0000-7000-8000-000000000000")
        assert refused["problem"]["type"] == "/docs/problems/module-disabled"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x00\x01", 1003),
        (b'{"ping": 1}', 1003),
        ("", 4400),
        ("{", 4400),
        ('{"ping": "' + "x" * 20_000 + '"}', 1009),
    ],
)
async def test_hostile_frames_end_the_connection_with_a_reason(
    acme: TestTenant, frame: str | bytes, code: int
) -> None:
    async with live(acme) as client:
        await client.connection.send(frame)
        assert (await client.closed())[0] == code
    async with live(acme) as client:
        assert await client.is_silent()


@pytest.mark.parametrize(
    "frame",
    [
        "[]", "[" * 10_000, '{"ping": ' + "[" * 10_000, "1", '"subscribe"', "{}",
        '{"subscribe": 1}', '{"subscribe": "a", "unsubscribe": "a"}',
        '{"after": "1-1"}', '{"nothing": true}', '{"ping": {"a": [[[]]]}}',
        '{"subscribe": "events", "after": 7}',
    ],
)  # fmt: skip
async def test_what_is_no_command_is_answered(acme: TestTenant, frame: str) -> None:
    async with live(acme) as client:
        await client.connection.send(frame)
        assert (await client.next())["problem"]["type"] == "/docs/problems/unknown-command"
        assert await client.is_silent()


# What changes while somebody is connected, on a replica that looks all the time


async def test_signing_out_ends_the_connection(strict: WebServer, acme: TestTenant) -> None:
    async with live(acme, url=strict.url) as client:
        await client.subscribe("events")
        acme.http.delete("/api/v1/sessions/current")
        assert (await client.closed())[0] == 4401


async def test_losing_rights_ends_the_connection(strict: WebServer, acme: TestTenant) -> None:
    member = acme.add_user("admin")
    me = member.http.get("/api/v1/me").json()["user"]["id"]
    async with live(acme, member, url=strict.url) as client:
        await client.subscribe("events")
        acme.http.patch(f"/api/v1/users/{me}", json={"role": "customer"})
        assert (await client.closed())[0] == 4401


async def test_suspending_the_tenant_ends_the_connection_and_says_why(
    installation: Installation, strict: WebServer, acme: TestTenant
) -> None:
    async with live(acme, url=strict.url) as client:
        await client.subscribe("events")
        CommandLine(installation).json("tenants", "suspend", acme.slug, "--reason", "Unpaid.")
        assert await client.closed() == (4403, "Unpaid.")
    with pytest.raises(InvalidStatus) as refused:
        async with live(acme, url=strict.url):
            pass
    assert refused.value.response.status_code == 403


async def test_switching_a_module_off_ends_its_channels(
    installation: Installation, sign_up: SignUp, strict: WebServer
) -> None:
    async with (
        stage(installation, sign_up) as play,
        live(play.tenant, url=strict.url) as client,
    ):
        await client.subscribe(play.channel)
        await client.subscribe("events")
        play.tenant.http.delete("/api/v1/modules/notes")
        refused = await client.until("error")
        assert refused["problem"]["type"] == "/docs/problems/module-disabled"
        assert (await client.until("unsubscribed"))["channel"] == play.channel
        await play.publish(1)
        await play.publish(2, channel="events")
        assert await numbers(client, 1) == [2]


async def test_who_hears_nothing_gets_heartbeats(strict: WebServer, acme: TestTenant) -> None:
    async with live(acme, url=strict.url) as client:
        for _ in range(2):
            assert json.loads(await asyncio.wait_for(client.connection.recv(), 30)) == {
                "type": "heartbeat"
            }


async def test_a_connection_carries_only_so_many_channels(
    installation: Installation, sign_up: SignUp, strict: WebServer
) -> None:
    async with (
        stage(installation, sign_up) as play,
        live(play.tenant, url=strict.url) as client,
    ):
        me = play.tenant.http.get("/api/v1/me").json()["user"]["id"]
        notes = play.tenant.http
        other = notes.post("/api/v1/notes", json={"title": "Other", "body": ""}).json()["id"]
        for channel in ("events", f"users/{me}", play.channel):
            await client.send(subscribe=channel)
            await client.until("snapshot")
        await client.send(subscribe=f"notes/{other}")
        refused = await client.until("error")
        assert refused["problem"]["type"] == "/docs/problems/too-many-channels"


async def test_a_user_has_only_so_many_connections(strict: WebServer, acme: TestTenant) -> None:
    member = acme.add_user()
    async with (
        live(acme, url=strict.url),
        live(acme, url=strict.url),
        live(acme, url=strict.url),
        live(acme, url=strict.url) as last,
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with live(acme, url=strict.url):
                pass
        assert refused.value.response.status_code == 429
        async with live(acme, member, url=strict.url) as other:
            assert await other.is_silent()
        await last.connection.close()
        assert (await last.closed())[0] == 1000
    async with live(acme, url=strict.url) as again:
        assert await again.is_silent()
