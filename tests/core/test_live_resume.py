"""Nothing missing, nothing twice: whoever comes back, wherever, whatever broke meanwhile."""

import asyncio
import os
import signal

from fixtures.installation import Installation, SignUp, TestTenant, WebServer
from fixtures.live import live, numbers, numbers_in, replica, stage
from insula.db.ids import new_id
from insula.events import Event
from redis import Redis
from websockets.exceptions import ConnectionClosed


async def test_who_comes_back_gets_what_was_missed_once(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play:
        async with live(play.tenant) as client:
            await client.subscribe(play.channel)
            await play.publish(1, 2)
            assert await numbers(client, 2) == [1, 2]
            last = client.received[-1]["id"]
        await play.publish(3, 4, 5)
        async with live(play.tenant) as client:
            assert (await client.subscribe(play.channel, after=last))["type"] == "resumed"
            await play.publish(6)
            assert await numbers(client, 4) == [3, 4, 5, 6]


async def test_who_comes_back_before_anything_happened_begins_at_the_snapshot(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play:
        async with live(play.tenant) as client:
            begin = (await client.subscribe(play.channel))["id"]
        await play.publish(1)
        async with live(play.tenant) as client:
            assert (await client.subscribe(play.channel, after=begin))["type"] == "resumed"
            assert await numbers(client, 1) == [1]


async def test_a_gap_that_cannot_be_filled_is_told_with_a_snapshot(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play, live(play.tenant) as client:
        begin = (await client.subscribe(play.channel))["id"]
        await play.publish(1, 2)
        await play.platform.foundation.redis.call("XTRIM", play.log_key, "MAXLEN", "1")
        for lost in (begin, "1-1", "9999999999999-0", "nonsense"):
            first = await client.subscribe(play.channel, after=lost)
            while first["type"] != "reset":
                assert first["type"] in ("presence", "tests.number")
                first = await client.next()
            assert first["data"]["title"] == "Roof garden"
        await play.publish(3)
        await client.until("tests.number")
        assert numbers_in(client.received)[-1] == 3


async def test_watching_while_others_publish_misses_nothing(
    installation: Installation, sign_up: SignUp
) -> None:
    """Clients come one after the other while messages are going out; each sees every number from
    the first that it sees."""
    count = 60
    async with stage(installation, sign_up) as play:

        async def watch(delay: float) -> list[int]:
            await asyncio.sleep(delay)
            async with live(play.tenant) as client:
                await client.subscribe(play.channel)
                found: list[int] = []
                while not found or found[-1] < count:
                    found += await numbers(client, 1)
                return found

        watching = [asyncio.create_task(watch(nth * 0.02)) for nth in range(8)]
        for number in range(1, count):
            await play.publish(number)
            await asyncio.sleep(0.005)
        while not all(task.done() for task in watching):
            await play.publish(count)  # until the last of them is there
            await asyncio.sleep(0.1)
        for task in watching:
            found = [number for number in await task if number < count]
            assert found == list(range(count - len(found), count))


async def test_replicas_show_the_same(
    installation: Installation, sign_up: SignUp, strict: WebServer
) -> None:
    async with (
        stage(installation, sign_up) as play,
        live(play.tenant) as here,
        live(play.tenant, url=strict.url) as there,
    ):
        await here.subscribe(play.channel)
        await there.subscribe(play.channel)
        await play.publish(1, 2, 3)
        assert await numbers(here, 3) == await numbers(there, 3) == [1, 2, 3]
        assert here.received[-1]["id"] == there.received[-1]["id"]


async def test_a_killed_replica_is_left_for_another_without_gap(
    installation: Installation, sign_up: SignUp, strict: WebServer
) -> None:
    async with stage(installation, sign_up) as play:
        found: list[int] = []
        with replica(installation) as doomed:
            async with live(play.tenant, url=doomed.url) as client:
                await client.subscribe(play.channel)
                publishing = asyncio.create_task(play.publish(*range(1, 301)))
                found += await numbers(client, 20)
                assert doomed.process is not None
                os.killpg(doomed.process.pid, signal.SIGKILL)
                try:
                    while True:
                        found += numbers_in([await client.next()])
                except ConnectionClosed:
                    last = client.received[-1]["id"]
        async with live(play.tenant, url=strict.url) as client:
            assert (await client.subscribe(play.channel, after=last))["type"] == "resumed"
            await publishing
            found += await numbers(client, 300 - len(found))
            assert found == list(range(1, 301))


async def test_a_replica_that_drains_sends_its_clients_away(
    installation: Installation, acme: TestTenant
) -> None:
    with replica(installation, INSULA_DRAIN_SECONDS="2") as web:
        async with live(acme, url=web.url) as client:
            await client.subscribe("events")
            assert web.process is not None
            os.killpg(web.process.pid, signal.SIGTERM)
            assert (await client.closed())[0] == 1012


async def test_a_lost_line_to_redis_loses_no_message(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play, live(play.tenant) as client:
        await client.subscribe(play.channel)
        with Redis.from_url(installation.settings.redis_url) as redis:
            for number in range(1, 41):
                if number % 10 == 5:
                    redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
                await play.publish(number)
        assert await numbers(client, 40) == list(range(1, 41))
        assert [m["type"] for m in client.received].count("reset") == 0


async def test_a_redis_that_forgot_everything_begins_anew_and_says_so(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play, live(play.tenant) as client:
        await client.subscribe(play.channel)
        await play.publish(1)
        await client.until("tests.number")
        with Redis.from_url(installation.settings.redis_url) as redis:
            redis.flushall()
            redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        reset = await client.until("reset")
        assert reset["data"]["title"] == "Roof garden"
        await play.publish(2)
        assert (await client.until("tests.number"))["data"] == {"n": 2}
        assert await client.is_silent()


async def test_a_client_that_does_not_read_is_dropped_and_the_others_are_not(
    installation: Installation, sign_up: SignUp
) -> None:
    count, filler = 250, "x" * 60_000
    async with (
        stage(installation, sign_up) as play,
        live(play.tenant, max_queue=1, max_size=None) as lazy,
        live(play.tenant) as eager,
    ):
        await lazy.subscribe(play.channel)
        await eager.subscribe(play.channel)
        for nth in range(0, count, 10):  # so that whoever reads keeps up, on any machine
            some = range(nth, nth + 10)
            await play.publish(*some, filler=filler)
            assert await numbers(eager, 10) == list(some)
        code, reason = await lazy.closed()
        assert (code, reason) == (4008, "too slow: connect again and resume")


async def test_events_that_are_delivered_again_are_not_shown_again(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play, live(play.tenant) as client:
        await client.subscribe(play.channel)
        events = [
            Event(
                seq=1_000_000 + nth, id=new_id(), type="tests.number", subject=play.channel,
                time="2026-11-21T12:00:00Z", actor_id=None, data={"n": nth},  # type: ignore[arg-type]
                channels=[play.channel],
            )
            for nth in range(6)
        ]  # fmt: skip
        realtime = play.platform.foundation.realtime
        await realtime.publish_events(play.inner, events[:4])
        await realtime.publish_events(play.inner, events[:4])
        await realtime.publish_events(play.inner, events[2:])
        assert await numbers(client, 6) == list(range(6))
        assert await client.is_silent()
        assert client.received[-2]["event_id"] == str(events[-1].id)


async def test_presence_is_told_over_replicas_and_ends_with_a_killed_one(
    installation: Installation, sign_up: SignUp, strict: WebServer
) -> None:
    async with stage(installation, sign_up) as play:
        member = play.tenant.add_user()
        me = member.http.get("/api/v1/me").json()["user"]["id"]
        async with live(play.tenant, url=strict.url) as client:
            first = await client.subscribe(play.channel)
            assert first["present"]["count"] == 1
            with replica(installation, INSULA_LIVE_RECHECK_SECONDS="0.3") as doomed:
                async with live(play.tenant, member, url=doomed.url) as other:
                    assert me in (await other.subscribe(play.channel))["present"]["users"]
                    while (told := (await client.until("presence"))["data"]).get("joined") != [me]:
                        pass
                    assert told["count"] == 2
                    assert doomed.process is not None
                    os.killpg(doomed.process.pid, signal.SIGKILL)
            assert (await client.until("presence"))["data"] == {"left": [me], "count": 1}


async def test_presence_ends_with_the_last_connection_of_a_user(
    installation: Installation, sign_up: SignUp
) -> None:
    async with stage(installation, sign_up) as play:
        member = play.tenant.add_user()
        me = member.http.get("/api/v1/me").json()["user"]["id"]
        async with live(play.tenant) as client:
            await client.subscribe(play.channel)
            async with live(play.tenant, member) as one, live(play.tenant, member) as two:
                await one.subscribe(play.channel)
                await two.subscribe(play.channel)
                await two.send(unsubscribe=play.channel)
                await two.until("unsubscribed")
                await play.publish(1)
                await client.until("tests.number")
            assert (await client.until("presence"))["data"] == {"left": [me], "count": 1}
            told = [m["data"] for m in client.received if m["type"] == "presence"]
            assert sum(me in change.get("joined", []) for change in told) == 1
