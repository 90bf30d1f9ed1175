"""Subscriptions over graphql-transport-ws, by the client that specifies the protocol."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fixtures.background import WorkerProcess
from fixtures.installation import SignUp, TestTenant
from fixtures.npm import node_program, packages
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

CLIENT = """
import { createClient } from "graphql-ws";
import WebSocket from "ws";
const [url, token, query] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${token}` },
  retryAttempts: 0,
});
client.on("connected", () => say({ connected: true }));
client.subscribe({ query }, {
  next: (result) => say(result),
  error: (error) => { say({ error }); client.dispose(); },
  complete: () => { say({ complete: true }); client.dispose(); },
});
"""
SECONDS = 60


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


class Client:
    """`graphql-ws` with one operation."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the client has ended"
        return dict(json.loads(line))


@contextmanager
def _asking(tenant: TestTenant, query: str, token: str | None = None) -> Iterator[Client]:
    folder = packages("graphql-ws@6.0.4", "graphql@16.11.0", "ws@8.18.3")
    (folder / "client.mjs").write_text(CLIENT)
    token = token or tenant.owner.tokens["access_token"]
    process = subprocess.Popen(
        [node_program(), "client.mjs", tenant.url.replace("http", "ws") + "/graphql", token, query],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Client(process)
    finally:
        process.kill()
        process.communicate()


def _note(tenant: TestTenant, title: str) -> str:
    return str(tenant.http.post("/api/v1/notes", json={"title": title}).json()["id"])


def test_a_subscription_begins_with_the_state_and_goes_on_with_what_happens(
    tenant: TestTenant, worker: WorkerProcess
) -> None:
    note = _note(tenant, "One")
    query = f'subscription {{noteChanged(id: "{note}") {{kind note {{title revision}}}}}}'
    with _asking(tenant, query) as client:
        assert client.next() == {"connected": True}
        first = client.next()["data"]["noteChanged"]
        assert first == {"kind": "snapshot", "note": {"title": "One", "revision": 1}}
        tenant.http.patch(f"/api/v1/notes/{note}", json={"title": "Two"})
        while (told := client.next()["data"]["noteChanged"])["kind"] != "notes.note.updated":
            pass  # that it was made may come first
        assert told["note"] == {"title": "Two", "revision": 2}
        tenant.http.delete(f"/api/v1/notes/{note}")
        told = client.next()["data"]["noteChanged"]
        assert told == {"kind": "notes.note.deleted", "note": None}


def test_who_may_not_watch_is_told_so(tenant: TestTenant, sign_up: SignUp) -> None:
    note = _note(tenant, "Secret")
    query = f'subscription {{noteChanged(id: "{note}") {{kind}}}}'
    customer = tenant.add_user("customer").tokens["access_token"]
    stranger = sign_up("notes").owner.tokens["access_token"]
    for token, kind in ((customer, "forbidden"), (stranger, "not-found")):
        with _asking(tenant, query, token) as client:
            assert client.next() == {"connected": True}
            said = client.next()
            error = said["error"][0]
            assert error["extensions"]["type"].rpartition("/")[2] == kind


def test_queries_and_mutations_are_answered_once(tenant: TestTenant) -> None:
    create = 'mutation {createNote(note: {title: "A"}) {title}}'
    with _asking(tenant, create) as client:
        client.next()
        assert client.next() == {"data": {"createNote": {"title": "A"}}}
        assert client.next() == {"complete": True}
    assert len(tenant.http.get("/api/v1/notes").json()["items"]) == 1
    failing = (
        'mutation {a: createNote(note: {title: "B"}) {id} b: createNote(note: {title: ""}) {id}}'
    )
    with _asking(tenant, failing) as client:
        client.next()
        assert client.next()["data"] is None
    assert len(tenant.http.get("/api/v1/notes").json()["items"]) == 1
    with _asking(tenant, "{nope}") as client:
        client.next()
        assert client.next()["error"][0]["extensions"]["code"] == "GRAPHQL_INVALID"


# The protocol, message by message

ACK = {"type": "connection_ack"}
INIT = {"type": "connection_init"}


async def _talk(
    tenant: TestTenant, *messages: Any, subprotocol: str = "graphql-transport-ws"
) -> Any:
    """What comes back, up to the close code if the connection is closed."""
    url = tenant.url.replace("http", "ws") + "/graphql"
    headers = {"Authorization": f"Bearer {tenant.owner.tokens['access_token']}"}
    heard: list[Any] = []
    async with connect(
        url,
        subprotocols=[Subprotocol(subprotocol)],
        additional_headers=headers,
    ) as socket:
        try:
            for message in messages:
                if message is None:
                    heard.append(json.loads(await asyncio.wait_for(socket.recv(), SECONDS)))
                else:
                    text = message if isinstance(message, str | bytes) else json.dumps(message)
                    await socket.send(text)
            while True:
                heard.append(json.loads(await asyncio.wait_for(socket.recv(), SECONDS)))
        except ConnectionClosed:
            heard.append(socket.close_code)
    return heard


ASK = {"type": "subscribe", "id": "1", "payload": {"query": "{__typename}"}}
TALKS: dict[str, tuple[list[Any], int]] = {
    "not JSON": (["{"], 4400),
    "binary": ([b"{}"], 4400),
    "no type": ([{"id": "1"}], 4400),
    "unknown type": ([{"type": "hello"}], 4400),
    "too long": (["x" * 200_000], 4400),
    "subscribing before the handshake": ([ASK], 4401),
    "two handshakes": ([INIT, None, INIT], 4429),
    "a bad token": ([{**INIT, "payload": {"authorization": "Bearer x"}}], 4403),
    "no payload": ([INIT, None, {"type": "subscribe", "id": "1"}], 4400),
    "no query's type": ([INIT, None, {**ASK, "payload": {"query": 1}}], 4400),
}


@pytest.mark.parametrize("name", TALKS)
async def test_a_breach_of_the_protocol_ends_the_connection(sign_up: SignUp, name: str) -> None:
    tenant = await asyncio.to_thread(sign_up, "notes")
    messages, code = TALKS[name]
    assert (await _talk(tenant, *messages))[-1] == code


async def test_an_id_that_is_in_use_ends_the_connection(sign_up: SignUp) -> None:
    tenant = await asyncio.to_thread(sign_up, "notes")
    note = await asyncio.to_thread(_note, tenant, "One")
    query = f'subscription {{noteChanged(id: "{note}") {{kind}}}}'
    watch = {"type": "subscribe", "id": "1", "payload": {"query": query}}
    heard = await _talk(tenant, INIT, None, watch, None, watch)
    assert heard[0] == ACK
    assert heard[1]["payload"] == {"data": {"noteChanged": {"kind": "snapshot"}}}
    assert heard[-1] == 4409


async def test_pings_are_answered_and_an_operation_can_be_ended(sign_up: SignUp) -> None:
    tenant = await asyncio.to_thread(sign_up, "notes")
    note = await asyncio.to_thread(_note, tenant, "One")
    query = f'subscription {{noteChanged(id: "{note}") {{kind}}}}'
    watch = {"type": "subscribe", "id": "1", "payload": {"query": query}}
    end, ping = {"type": "complete", "id": "1"}, {"type": "ping", "payload": {"a": 1}}
    heard = await _talk(tenant, INIT, None, watch, None, end, watch, None, ping, None, "{")
    begun, *between, code = heard  # the note's own making may come anywhere in between
    assert (begun, code) == (ACK, 4400)
    assert {each["type"] for each in between} == {"next", "pong"}
    assert [each["payload"] for each in between if each["type"] == "pong"] == [{"a": 1}]


async def test_another_subprotocol_is_refused(sign_up: SignUp) -> None:
    tenant = await asyncio.to_thread(sign_up)
    assert await _talk(tenant, subprotocol="graphql-ws") == [4406]
