"""Live channels as server-sent events, read by PyPI ``httpx-sse``."""

import pytest
from fixtures.installation import Installation, SignUp, TestTenant, WebServer
from fixtures.live import live, stage
from fixtures.sse import PATH, reading


async def test_a_snapshot_comes_first_then_what_happens(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play, reading(play.tenant, play.channel) as reader:
        first = await reader.next()
        assert (first["type"], first["data"]["title"]) == ("snapshot", "Roof garden")
        assert first["id"] == reader.last_id
        await play.publish(1, 2)
        assert await reader.numbers(2) == [1, 2]


async def test_last_event_id_resumes_every_channel_of_the_connection(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play:
        async with reading(play.tenant, play.channel, "events") as reader:
            await reader.until("snapshot")
            await reader.until("snapshot")
            await play.publish(1)
            await play.publish(2, channel="events")
            assert sorted(await reader.numbers(2)) == [1, 2]
            last = reader.last_id
        await play.publish(3)
        await play.publish(4, channel="events")
        async with reading(play.tenant, play.channel, "events", last=last) as reader:
            assert sorted(await reader.numbers(2)) == [3, 4]
            last = reader.last_id
        await play.publish(5)
        async with reading(play.tenant, play.channel, "events", after=last) as reader:
            assert await reader.numbers(1) == [5]


async def test_a_position_that_is_lost_is_a_reset(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play:
        for last in ("1-1", "nonsense", "1-1,2-2"):
            async with reading(play.tenant, play.channel, last=last) as reader:
                assert (await reader.next())["type"] == "reset"


async def test_a_ticket_opens_one_stream(installation: Installation, sign_up: SignUp) -> None:
    async with stage(installation, sign_up) as play:
        ticket = play.tenant.http.post("/api/v1/realtime/tickets").json()["ticket"]
        async with reading(play.tenant, play.channel, ticket=ticket) as reader:
            assert (await reader.next())["type"] == "snapshot"
        again = play.tenant.anonymous().get(PATH, params={"channel": "events", "ticket": ticket})
        assert again.status_code == 401


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("channel=nothing", 404), ("channel=notes/1", 404), ("channel=events", 401)],
)
def test_a_stream_is_refused_before_it_begins(acme: TestTenant, query: str, status: int) -> None:
    answer = acme.anonymous().get(f"{PATH}?{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_head_does_not_wait(acme: TestTenant) -> None:
    answer = acme.http.head(PATH, params={"channel": "events"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_reader_that_goes_is_noticed(installation: Installation, sign_up: SignUp) -> None:
    async with stage(installation, sign_up) as play:
        member = play.tenant.add_user()
        me = member.http.get("/api/v1/me").json()["user"]["id"]
        async with live(play.tenant, member) as watching:
            await watching.subscribe(play.channel)
            async with reading(play.tenant, play.channel) as reader:
                await reader.next()
            while "left" not in (told := (await watching.until("presence"))["data"]):
                pass
            assert me not in told["left"]


async def test_signing_out_ends_the_stream(strict: WebServer, acme: TestTenant) -> None:
    async with reading(acme, "events", url=strict.url) as reader:
        await reader.next()
        acme.http.delete("/api/v1/sessions/current")
        assert (await reader.next())["code"] == 4401
        with pytest.raises(StopAsyncIteration):
            await reader.next()
