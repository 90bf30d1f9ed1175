"""Slots: empty tenants that are built ahead, claimed by sign-ups, finished after a crash."""

import asyncio
import secrets
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg
import httpx
import pytest
from fixtures.background import WorkerProcess
from fixtures.command import CommandLine
from fixtures.installation import PASSWORD, Installation, SignUp, TestTenant
from fixtures.waiting import eventually
from insula.embedded import postgres
from insula.identity import queries
from insula.tenancy import core, slots
from insula.tenancy.building import portions
from insula.tenancy.cells import HOME, Cells
from insula.tenancy.filling import Filling, Refill
from insula.tenancy.roles import PROVISIONER

T = TypeVar("T")


class Pool:
    """The slots of the installation. Its worker, where there is one, finishes what is begun."""

    def __init__(self, installation: Installation) -> None:
        self._settings = installation.settings
        self.command = CommandLine(installation)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the worker away: to it, somebody else leads."""
        with asyncio.Runner() as runner:
            leader = runner.run(asyncpg.connect(self._settings.database_url))
            lock = "BEGIN; LOCK TABLE ctl.slots IN SHARE UPDATE EXCLUSIVE MODE"
            runner.run(leader.execute(lock))
            try:
                yield
            finally:
                runner.run(leader.close())

    def fill(self, count: int) -> set[int]:
        """So many that are free, and their numbers."""
        self.run(lambda filling: filling.fill(count, lambda *_: None))
        return self.numbers("free")

    def empty(self) -> None:
        """Nothing is free, nothing is begun."""
        self.ask("UPDATE ctl.slots SET state = 'dropping'")

    def numbers(self, state: str) -> set[int]:
        rows = self.ask(f"SELECT number FROM ctl.slots WHERE state = '{state}'")
        return {row["number"] for row in rows}

    def number_of(self, tenant: TestTenant) -> int:
        rows = self.ask(f"SELECT number FROM ctl.tenants WHERE slug = '{tenant.slug}'")
        return int(rows[0]["number"])

    def ask(self, statement: str) -> list[asyncpg.Record]:
        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self._settings.database_url)
            try:
                return list(await connection.fetch(statement))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def run(self, act: Callable[[Filling], Awaitable[T]], newest: int = 0, **options: bool) -> T:
        """Act as a process that fills slots would; one that knows the core up to a version."""
        files = tuple(f for f in core.tenant_files() if not newest or f.version <= newest)

        async def run() -> T:
            cells = Cells(self._settings, size=4)
            try:
                return await act(
                    Filling(cells.catalogue, buckets=self._settings.buckets, files=files, **options)
                )
            finally:
                await cells.close()
                await asyncio.sleep(0)  # transports close in the next turn of the loop

        return asyncio.run(run())

    def nobodys(self) -> set[int]:
        """Schemas and roles that are in no list."""
        rows = self.ask(  # longer ones are roles of another installation on the same server
            "SELECT substr(name, 3)::bigint AS number FROM ("
            "SELECT nspname AS name FROM pg_namespace UNION SELECT rolname FROM pg_roles"
            ") AS names WHERE name ~ '^t_[0-9]{1,6}$' "
            "EXCEPT SELECT number FROM ctl.tenants EXCEPT SELECT number FROM ctl.slots"
        )
        return {row["number"] for row in rows}


@pytest.fixture
def pool(installation: Installation) -> Pool:
    return Pool(installation)


def test_a_sign_up_takes_the_oldest_slot_and_all_works_in_it(pool: Pool, sign_up: SignUp) -> None:
    assert pool.command.json("tenants", "slots", "--fill", "2")["free"] >= 2
    free = pool.numbers("free")
    tenant = sign_up("notes")
    assert pool.number_of(tenant) == min(free)
    assert pool.numbers("free") == free - {min(free)}
    assert tenant.http.post("/api/v1/notes", json={"title": "A"}).status_code == 201
    assert tenant.add_user().http.get("/api/v1/me").status_code == 200
    state = pool.command.json("tenants", "show", tenant.slug)
    assert (state["status"], state["modules"]) == ("active", ["notes"])


def test_a_slot_is_what_a_sign_up_would_have_built(
    installation: Installation, pool: Pool, sign_up: SignUp
) -> None:
    def definition(number: int) -> list[str]:
        """What pg_dump says of it, without what differs between any two."""
        url, schema = installation.settings.database_url, f"t_{number}"
        command = [str(postgres.programs() / "pg_dump"), url, "-s", "-n", schema]
        dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        dumped = dumped.replace(f"insula_bound_{number}", "insula_bound")
        lines = dumped.replace(schema, "tenant").splitlines()
        return [line for line in lines if "restrict" not in line and "sha256" not in line]

    pool.fill(1)
    claimed = pool.number_of(sign_up())
    pool.empty()
    built = pool.number_of(sign_up())
    assert definition(claimed) == definition(built)


@pytest.mark.parametrize(("cells", "turn"), [(1, 1), (4, 1), (10, 1), (10, 10), (5, 20)])
@pytest.mark.parametrize("buckets", [1, 4, 7])
def test_buckets_of_a_cell_get_equally_many(
    pool: Pool, cells: int, turn: int, buckets: int
) -> None:
    """Though cells take so many numbers each in turn."""
    bucket = slots.BUCKET.replace(":first", "0").replace(":buckets", str(buckets))
    counted = pool.ask(
        f"SELECT count(*) AS tenants FROM generate_series(1, {2000 * cells}) AS number "
        f"WHERE number / {turn} % {cells} = 0 GROUP BY {bucket}"
    )
    tenants = [line["tenants"] for line in counted]
    assert len(tenants) == buckets
    assert max(tenants) <= 1.1 * min(tenants)


def test_a_sign_up_that_fails_gives_its_slot_back(
    installation: Installation, pool: Pool, acme: TestTenant
) -> None:
    free = pool.fill(1)
    owner = {"email": "o@example.com", "name": "O", "password": PASSWORD}
    form = {"slug": acme.slug, "name": "Again", "owner": owner}
    assert httpx.post(f"{installation.url}/api/v1/tenants", json=form).status_code == 409
    assert pool.numbers("free") == free


def test_fifty_sign_ups_at_once_share_three_slots_and_none_is_refused(
    installation: Installation, pool: Pool
) -> None:
    pool.empty()
    free = pool.fill(3)
    slugs = [f"s-{secrets.token_hex(6)}" for _ in range(50)]

    def sign_up(slug: str) -> int:
        owner = {"email": "o@example.com", "name": "O", "password": PASSWORD}
        form = {"slug": slug, "name": "Rush", "owner": owner}
        url = f"{installation.url}/api/v1/tenants"
        return httpx.post(url, json=form, timeout=120).status_code

    with ThreadPoolExecutor(50) as threads:
        assert set(threads.map(sign_up, slugs)) == {201}
    rows = pool.ask(f"SELECT number FROM ctl.tenants WHERE slug = ANY(ARRAY{slugs})")
    assert len(rows) == 50
    assert free <= {row["number"] for row in rows}
    assert pool.numbers("free") == set()
    assert pool.nobodys() == set()


def test_a_slot_of_an_older_version_is_never_handed_out(pool: Pool, sign_up: SignUp) -> None:
    pool.empty()
    newest = core.tenant_files()[-1].version
    before = core.tenant_files()[-2].version
    pool.run(lambda filling: filling.fill(2, lambda *_: None), newest=before)
    old = pool.numbers("free")
    assert len(old) == 2
    assert pool.number_of(sign_up()) not in old
    with pool.alone():
        assert pool.fill(2) == old, "they are migrated, not thrown away"
    tenant = sign_up()
    assert pool.number_of(tenant) in old
    applied = f"SELECT max(version) FROM t_{pool.number_of(tenant)}.insula_migrations"
    assert pool.ask(applied)[0]["max"] == newest
    recorded = f"SELECT version FROM ctl.tenant_modules WHERE tenant_id = '{tenant.id}'"
    assert pool.ask(recorded)[0]["version"] == newest


def test_a_slot_that_was_begun_is_finished_by_whoever_comes_next(pool: Pool) -> None:
    pool.empty()
    with pool.alone():
        begun = pool.run(lambda filling: filling.begin())
        assert begun.state == "building"
        assert pool.numbers("building") == {begun.number}
        assert pool.fill(1) == {begun.number}


def test_a_killed_fill_leaves_nothing_that_the_next_one_does_not_finish(pool: Pool) -> None:
    pool.empty()
    process = pool.command.start("tenants", "slots", "--fill", "200")
    eventually(lambda: len(pool.numbers("building") | pool.numbers("free")) > 2)
    process.kill()
    process.communicate()
    left = eventually(lambda: pool.numbers("building") | pool.numbers("free"))
    assert 0 < len(left) < 200
    # What the killed one had PostgreSQL do is done to its end, and nobody else is at it meanwhile.
    eventually(lambda: pool.fill(len(left)) >= left)
    assert pool.numbers("building") == set()
    assert pool.nobodys() == set()
    pool.empty()


def test_a_slot_that_cannot_be_finished_is_dropped_and_another_is_built(pool: Pool) -> None:
    pool.empty()
    broken = pool.run(lambda filling: filling.begin()).number
    due = portions(core.tenant_files())[1][0].sql.partition("CREATE TABLE ")[2].split()[0]
    pool.ask(f"CREATE TABLE t_{broken}.{due} (in_the_way int)")
    failed = pool.command.run("tenants", "slots", "--fill", "1")
    # A worker of another test may have been there first.
    assert failed.returncode == 1 or broken not in pool.numbers("building")
    assert broken not in pool.fill(1)
    pool.run(Filling.drop_all)
    assert pool.ask(f"SELECT 1 FROM pg_namespace WHERE nspname = 't_{broken}'") == []
    assert pool.nobodys() == set()


def test_two_workers_fill_up_to_the_target_and_no_further(pool: Pool, sign_up: SignUp) -> None:
    pool.empty()

    async def work(filling: Filling) -> None:
        stop = asyncio.Event()
        refills = [Refill(filling, target=4) for _ in range(2)]
        running = [asyncio.create_task(refill.run(stop)) for refill in refills]
        while (await filling.stock()).free < 4:
            for refill in refills:
                refill.wake()
            await asyncio.sleep(0.02)
        for refill in refills:  # they look again, and find nothing to do
            refill.wake()
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.gather(*running)

    pool.run(work, leads=True)
    free = pool.numbers("free")
    assert len(free) == 4
    for _ in range(2):
        sign_up()
    pool.run(_one_look)
    assert pool.numbers("free") < free, "half of them may be taken before it begins"


async def _one_look(filling: Filling) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(Refill(filling, target=4).run(stop))
    await asyncio.sleep(0.2)
    stop.set()
    await running


def test_a_worker_fills_what_sign_ups_have_taken(
    installation: Installation, pool: Pool, sign_up: SignUp, tmp_path: Path
) -> None:
    pool.empty()
    worker = WorkerProcess(installation.environ | {"INSULA_SLOTS": "2"}, tmp_path / "worker.log")
    worker.start()
    try:
        free = eventually(lambda: len(found := pool.numbers("free")) == 2 and found)
        assert {pool.number_of(sign_up()), pool.number_of(sign_up())} == free
        eventually(lambda: len(pool.numbers("free") - free) == 2)
        eventually(lambda: not pool.numbers("dropping"))
    finally:
        worker.stop()


def test_a_connection_that_is_opened_ahead_rehearses_a_sign_up(
    pool: Pool, installation: Installation
) -> None:
    """What the first one on it would have to wait for is done; nothing is written."""

    async def known() -> set[str]:
        cells = Cells(installation.settings, size=2)
        connections = cells._provisioner(HOME)
        try:
            async with connections.connection(PROVISIONER) as first:
                first.born -= 86_400  # another one is opened to take its place
            while connections._opening:
                await asyncio.gather(*connections._opening)
            async with connections.connection(PROVISIONER) as same:
                assert same is first  # it serves on until then
            async with connections.connection(PROVISIONER) as second:
                assert second is not first
                rows = await second.raw.fetch("SELECT statement FROM pg_prepared_statements")
        finally:
            await connections.close()
            await cells.close()
        return {row["statement"] for row in rows}

    with pool.alone():
        (number,) = pool.fill(1) if not pool.numbers("free") else list(pool.numbers("free"))[:1]
        statements = asyncio.run(known())
        assert {slots.CLAIM.sql, queries.INSERT_USER.sql, queries.START_SESSION.sql} <= statements
        assert pool.ask(f"SELECT FROM t_{number}.users") == []
        assert pool.ask("SELECT FROM ctl.tenants WHERE slug = ''") == []
        assert number in pool.numbers("free")
