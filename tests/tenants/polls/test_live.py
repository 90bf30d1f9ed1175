"""Watching a poll: a snapshot, then numbered deltas whose sum is the tally."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest
from fixtures.background import WorkerProcess
from fixtures.installation import SignUp, TestTenant
from fixtures.live import LiveClient, socket_url
from fixtures.polls import at_once, cast, counted, exported, new_poll, results_with, voted
from httpx_sse import aconnect_sse
from websockets.asyncio.client import connect

SECONDS = 60


@pytest.fixture
def tenant(sign_up: SignUp, worker: WorkerProcess) -> TestTenant:
    return sign_up("polls")


def channel_of(path: str) -> str:
    return path.removeprefix("/api/v1/")


class Watcher:
    """Adds deltas to a snapshot as the guide says."""

    def __init__(self, results: dict[str, Any]) -> None:
        self.number: int = results["number"]
        self.voters: int = results["voters"]
        self.counts = Counter(results["counts"])
        self.deltas = 0

    def hear(self, delta: dict[str, Any]) -> None:
        if delta["number"] <= self.number:
            return
        assert delta["number"] == self.number + 1, "a delta is missing"
        self.number += 1
        self.deltas += 1
        self.voters += delta["voters"]
        self.counts.update(delta["counts"])

    def agrees_with(self, results: dict[str, Any]) -> bool:
        counts = {key: votes for key, votes in self.counts.items() if votes}
        return (self.number, self.voters, counts) == (
            results["number"],
            results["voters"],
            results["counts"],
        )


async def follow(client: LiveClient, voters: int) -> Watcher:
    """Watch until so many votes are counted."""
    watcher = Watcher(client.received[0]["data"]["results"])
    while watcher.voters < voters:
        message = await client.next()
        if message["type"] == "polls.tally.changed":
            watcher.hear(message["data"])
    return watcher


async def test_deltas_add_up_to_the_tally_and_the_rows(tenant: TestTenant) -> None:
    path = new_poll(tenant)
    headers = {"Insula-Tenant": tenant.slug}
    async with connect(socket_url(tenant.url), additional_headers=headers) as connection:
        client = LiveClient(connection)
        first = await client.subscribe(channel_of(path))
        assert (first["type"], first["data"]["state"]) == ("snapshot", "open")
        votes = [
            lambda n=n: cast(tenant.anonymous(), path, n % 4 + 1).status_code for n in range(60)
        ]
        answers = asyncio.create_task(asyncio.to_thread(at_once, votes))
        watcher = await follow(client, 60)
        assert set(await answers) == {201}
    results = tenant.http.get(f"{path}/results").json()
    assert watcher.agrees_with(results)
    assert results["counts"] == counted(exported(tenant.http, path))
    assert watcher.deltas < 60


async def test_server_sent_events_say_the_same(tenant: TestTenant) -> None:
    path = new_poll(tenant)
    voted(tenant.anonymous(), path, 2)
    results_with(tenant.http, path, 1)
    headers = {"Insula-Tenant": tenant.slug}
    url = f"/api/v1/realtime/sse?channel={channel_of(path)}"
    async with (
        httpx.AsyncClient(base_url=tenant.url, headers=headers, timeout=SECONDS) as http,
        aconnect_sse(http, "GET", url) as source,
    ):
        messages = (event.json() async for event in source.aiter_sse() if event.data)
        first = await anext(messages)
        watcher = Watcher(first["data"]["results"])
        assert (first["type"], dict(watcher.counts)) == ("snapshot", {"2": 1})
        await asyncio.to_thread(voted, tenant.anonymous(), path, 3)
        while watcher.voters < 2:
            message = await anext(messages)
            if message["type"] == "polls.tally.changed":
                watcher.hear(message["data"])
    assert watcher.counts == {"2": 1, "3": 1}


async def test_hidden_results_are_heard_by_those_who_may_see_them(tenant: TestTenant) -> None:
    path = new_poll(tenant, results="after_vote")
    voter = tenant.anonymous()
    voted(voter, path, 1)
    channel = results_with(voter, path, 1)["channel"]
    assert channel.startswith(channel_of(path) + "/")
    headers = {"Insula-Tenant": tenant.slug}
    async with connect(socket_url(tenant.url), additional_headers=headers) as connection:
        client = LiveClient(connection)
        assert (await client.subscribe(channel_of(path)))["data"]["results"] is None
        guessed = await client.subscribe(f"{channel_of(path)}/guessed")
        assert guessed["problem"]["status"] == 404
        shown = await client.subscribe(channel)
        assert shown["data"]["results"]["counts"] == {"1": 1}
        await asyncio.to_thread(voted, tenant.anonymous(), path, 4)
        watcher = Watcher(shown["data"]["results"])
        while watcher.voters < 2:
            message = await client.until("polls.tally.changed")
            assert message["channel"] == channel
            watcher.hear(message["data"])
        assert watcher.counts == {"1": 1, "4": 1}
        await asyncio.to_thread(tenant.http.post, f"{path}/close")
        closed = [await client.until("polls.poll.closed") for _ in range(2)]
        assert {message["channel"] for message in closed} == {channel, channel_of(path)}
        final = await client.until("polls.poll.concluded")
        assert final["data"]["counts"] == {"1": 1, "4": 1}


async def test_a_poll_of_users_is_watched_by_users(tenant: TestTenant) -> None:
    path = new_poll(tenant, voters="user")
    headers = {"Insula-Tenant": tenant.slug}
    async with connect(socket_url(tenant.url), additional_headers=headers) as connection:
        refused = await LiveClient(connection).subscribe(channel_of(path))
        assert refused["problem"]["status"] == 401
    customer = tenant.add_user("customer")
    headers = {"Authorization": f"Bearer {customer.tokens['access_token']}"}
    async with connect(socket_url(tenant.url), additional_headers=headers) as connection:
        assert (await LiveClient(connection).subscribe(channel_of(path)))["type"] == "snapshot"


async def test_nobody_hears_another_tenants_poll(tenant: TestTenant, sign_up: SignUp) -> None:
    path, other = new_poll(tenant), sign_up("polls")
    async with connect(
        socket_url(tenant.url), additional_headers={"Insula-Tenant": other.slug}
    ) as connection:
        refused = await LiveClient(connection).subscribe(channel_of(path))
        assert refused["problem"]["status"] == 404
