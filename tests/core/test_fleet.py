"""Migrations reach every tenant, whatever happens on the way."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from fixtures.fleet import Fleet
from fixtures.installation import Installation
from insula.tenancy.fleet import Options, run
from insula.tenancy.fleet.pace import Pace
from insula.tenancy.fleet.tempo import Audience, Tempo

pytestmark = pytest.mark.xdist_group("fleet")
SIZE = 100


@pytest.fixture(scope="module")
def everybody(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return Fleet(installation, tmp_path_factory.mktemp("fleet"), SIZE)


@pytest.fixture
def fleet(everybody: Fleet) -> Fleet:
    """All tenants up to date, whatever the test before has left behind."""
    report = everybody.migrate(canary="0", retry_quarantined=True)
    assert report.succeeded, report
    return everybody


def test_a_column_and_an_index_reach_every_tenant_once(fleet: Fleet) -> None:
    fleet.step("ALTER TABLE {name} ADD COLUMN a INTEGER;")
    fleet.step("CREATE INDEX {name}_a ON {name} (a);")
    told: list[Any] = []
    report = fleet.migrate(lambda *line: told.append(line))
    assert report.succeeded
    assert (report.tenants, report.changed) == (SIZE, SIZE)
    assert fleet.having("a") == fleet.indexed(f"{fleet.name}_a") == set(fleet.numbers)
    assert [line[1] for line in told] == sorted(line[1] for line in told)
    assert told[0][1:3] == (0, SIZE)
    assert told[-1][1:3] == (SIZE, SIZE)
    assert fleet.migrate().changed == 0
    assert {tenant.state for tenant in fleet.page()} == {"current"}


def test_a_dry_run_shows_everything_and_changes_nothing(fleet: Fleet) -> None:
    version = fleet.step("ALTER TABLE {name} ADD COLUMN dry INTEGER;")
    plan = fleet.plan()
    assert [(step.version, step.tenants) for step in plan.steps] == [(version, SIZE)]
    assert "ADD COLUMN dry" in plan.steps[0].sql
    assert fleet.having("dry") == set()
    assert fleet.state().modules[-1].behind == SIZE
    assert fleet.tenant(fleet.numbers[0]).modules[-1].version == version - 1


def test_the_canary_goes_first_and_stops_everything_if_it_fails(fleet: Fleet) -> None:
    canary = fleet.numbers[5]
    fleet.execute(f"ALTER TABLE {fleet.table(canary)} ADD COLUMN song INTEGER")
    fleet.step("ALTER TABLE {name} ADD COLUMN song INTEGER;")
    report = fleet.migrate(canary=fleet.slug(canary))
    assert "canary" in report.stopped
    assert (report.changed, report.quarantined) == (0, 0)
    assert fleet.having("song") == {canary}
    assert fleet.tenant(canary).state == "behind"
    assert "already exists" in (fleet.tenant(canary).modules[-1].error or "")
    fleet.execute(f"ALTER TABLE {fleet.table(canary)} DROP COLUMN song")
    assert fleet.migrate(canary=fleet.slug(canary)).changed == SIZE


def test_a_broken_tenant_is_quarantined_and_the_others_are_migrated(fleet: Fleet) -> None:
    broken = fleet.numbers[SIZE // 2]
    fleet.execute(f"ALTER TABLE {fleet.table(broken)} ADD COLUMN b INTEGER")
    fleet.step("ALTER TABLE {name} ADD COLUMN b INTEGER, ADD COLUMN c INTEGER;")
    result = fleet.command.run("db", "migrate", "--json")
    assert result.returncode == 1
    failures = json.loads(result.stdout)["failures"]
    assert [failure["tenant"] for failure in failures] == [fleet.slug(broken)]
    assert f"{fleet.slug(broken)}, {fleet.name}: " in result.stderr
    assert fleet.having("c") == set(fleet.numbers) - {broken}
    state = fleet.tenant(broken)
    assert (state.state, state.modules[-1].attempts) == ("quarantined", 1)
    assert [each.number for each in fleet.page(which="quarantined")] == [broken]
    again = fleet.migrate()
    assert (again.changed, again.quarantined, again.succeeded) == (0, 1, True)
    fleet.execute(f"ALTER TABLE {fleet.table(broken)} DROP COLUMN b")
    assert fleet.migrate(retry_quarantined=True).changed == 1
    assert fleet.having("c") == set(fleet.numbers)
    assert fleet.tenant(broken).modules[-1].error is None


def test_a_migration_that_fails_at_many_is_stopped(fleet: Fleet) -> None:
    for number in fleet.numbers[3:]:
        fleet.execute(f"ALTER TABLE {fleet.table(number)} ADD COLUMN many INTEGER")
    fleet.step("ALTER TABLE {name} ADD COLUMN many INTEGER;")
    report = fleet.migrate(stop_after=3, workers=1, batch=5)
    assert "at fault" in report.stopped
    assert (report.changed, len(report.failures), report.quarantined) == (3, 3, 3)
    for number in fleet.numbers[3:]:
        fleet.execute(f"ALTER TABLE {fleet.table(number)} DROP COLUMN many")


def test_a_locked_tenant_is_tried_again_when_the_others_are_done(fleet: Fleet) -> None:
    locked = fleet.numbers[SIZE // 3]
    fleet.step("ALTER TABLE {name} ADD COLUMN d INTEGER;")

    async def migrate() -> tuple[Any, list[str]]:
        holder = await fleet.connect()
        block = holder.transaction()
        await block.start()
        await holder.execute(f"LOCK TABLE {fleet.table(locked)} IN ACCESS SHARE MODE")
        seen: list[str] = []

        def progress(what: str, done: int, total: int, note: str = "") -> None:
            if "in use" in note and done == total - 1 and not seen:
                seen.append(note)
                releasing.append(asyncio.ensure_future(block.rollback()))

        releasing: list[Any] = []
        report = await fleet.migration(progress)
        await asyncio.gather(*releasing)
        await holder.close()
        return report, seen

    report, seen = asyncio.run(migrate())
    assert ["1 in use" in note for note in seen] == [True]
    assert (report.changed, report.succeeded) == (SIZE, True)
    assert fleet.having("d") == set(fleet.numbers)


def test_a_tenant_that_stays_locked_is_reported_and_not_quarantined(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_PAUSES", (0.01, 0.01))
    locked = fleet.numbers[-1]
    fleet.step("ALTER TABLE {name} ADD COLUMN e INTEGER;")

    async def migrate() -> Any:
        holder = await fleet.connect()
        async with holder.transaction():
            await holder.execute(f"LOCK TABLE {fleet.table(locked)} IN ACCESS SHARE MODE")
            report = await fleet.migration()
        await holder.close()
        return report

    report = asyncio.run(migrate())
    assert [failure.tenant for failure in report.locked] == [fleet.slug(locked)]
    assert (report.changed, report.failures, report.quarantined) == (SIZE - 1, (), 0)
    assert "lock timeout" in (fleet.tenant(locked).modules[-1].error or "")
    assert fleet.migrate().changed == 1


def test_a_killed_migration_is_resumed(fleet: Fleet) -> None:
    fleet.step("ALTER TABLE {name} ADD COLUMN f INTEGER; SELECT pg_sleep(0.05);")
    process = fleet.command.start("db", "migrate", "--workers", "2")
    deadline = time.monotonic() + 60
    while not 3 < len(fleet.having("f")) < SIZE and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    before = len(fleet.having("f"))
    assert 3 < before < SIZE
    report = fleet.migrate()
    assert report.succeeded, report
    assert report.changed <= SIZE - before
    assert fleet.having("f") == set(fleet.numbers)


def test_two_migrations_at_once_share_the_tenants(fleet: Fleet) -> None:
    fleet.step("ALTER TABLE {name} ADD COLUMN g INTEGER; SELECT pg_sleep(0.002);")

    async def both() -> list[Any]:
        return await asyncio.gather(*(fleet.migration(canary="0") for _ in range(2)))

    reports = asyncio.run(both())
    assert [report.succeeded for report in reports] == [True, True], reports
    assert sum(report.changed for report in reports) == SIZE
    assert fleet.having("g") == set(fleet.numbers)


def test_where_the_index_is_wrong_the_tenant_itself_is_asked(fleet: Fleet) -> None:
    fleet.step("ALTER TABLE {name} ADD COLUMN h INTEGER;")
    assert fleet.migrate().changed == SIZE
    fleet.execute(
        "UPDATE ctl.tenant_modules SET version = version - 1 WHERE module = $1", fleet.name
    )
    report = fleet.migrate()
    assert report.succeeded, report
    assert report.changed == SIZE
    assert fleet.having("h") == set(fleet.numbers)


def test_a_module_waits_for_what_it_builds_on(fleet: Fleet) -> None:
    """Here for the core, which failed at one tenant."""
    waits = fleet.numbers[11]
    fleet.step("ALTER TABLE {name} ADD COLUMN waits INTEGER;")
    core = (
        "UPDATE ctl.tenant_modules AS line SET version = version + {by}, state = '{state}' "
        "FROM ctl.tenants AS tenant WHERE line.tenant_id = tenant.id AND line.module = 'core' "
        "AND tenant.number = $1"
    )
    fleet.execute(core.format(by=-1, state="quarantined"), waits)
    report = fleet.migrate()
    assert (report.changed, report.succeeded) == (SIZE - 1, True)
    assert fleet.having("waits") == set(fleet.numbers) - {waits}
    fleet.execute(core.format(by=1, state="ok"), waits)
    assert fleet.migrate().changed == 1


def test_only_some_tenants(fleet: Fleet) -> None:
    fleet.step("ALTER TABLE {name} ADD COLUMN i INTEGER;")
    some = fleet.numbers[7:9]
    assert fleet.migrate(tenants=tuple(fleet.slug(number) for number in some)).changed == 2
    assert fleet.having("i") == set(some)
    behind = fleet.page(which="behind", limit=3)
    assert [tenant.number for tenant in behind] == fleet.numbers[:3]
    after = fleet.page(which="behind", after=behind[-1].number, limit=1)
    assert [tenant.number for tenant in after] == fleet.numbers[3:4]


def test_an_applied_file_that_was_edited_is_refused(fleet: Fleet) -> None:
    first = fleet.migrations / "0001_step.sql"
    text = first.read_text()
    version = fleet.step("ALTER TABLE {name} ADD COLUMN edited INTEGER;")
    first.write_text(text.replace(");", ", more TEXT);"))
    report = fleet.migrate()
    assert [failure.tenant for failure in report.failures] == ["*"]
    assert "0001_step.sql was edited after it was applied" in report.failures[0].error
    assert fleet.having("edited") == set()
    first.write_text(text)
    fleet.migrations.joinpath(f"{version:04}_step.sql").unlink()
    fleet.step("ALTER TABLE {name} ADD COLUMN mended INTEGER;")


def test_a_migration_that_cannot_run_in_a_transaction_fails_at_the_canary(fleet: Fleet) -> None:
    version = fleet.step("CREATE INDEX CONCURRENTLY {name}_no ON {name} (id);")
    report = fleet.migrate()
    assert "CONCURRENTLY" in report.stopped
    assert report.changed == 0
    fleet.migrations.joinpath(f"{version:04}_step.sql").unlink()
    fleet.execute(
        "DELETE FROM ctl.insula_migrations WHERE module = $1 AND version = $2", fleet.name, version
    )
    fleet.step("SELECT 1;")


# Whoever is served meanwhile


def test_it_steps_aside_while_somebody_is_served(fleet: Fleet, installation: Installation) -> None:
    async def migrate_beside_somebody() -> Any:
        async with httpx.AsyncClient(base_url=installation.url) as client:

            async def ask() -> None:
                while True:
                    await client.get("/api/v1/me")

            asking = asyncio.create_task(ask())
            report = await fleet.migration()
            asking.cancel()
            return report

    fleet.step("ALTER TABLE {name} ADD COLUMN aside INTEGER;")
    beside = asyncio.run(migrate_beside_somebody())
    assert beside.changed == SIZE
    assert beside.aside >= (SIZE - 3) / 3
    fleet.step("ALTER TABLE {name} ADD COLUMN alone INTEGER;")
    alone = fleet.migrate()
    assert alone.changed == SIZE
    assert alone.aside < beside.aside  # a few, until it knows
    fleet.step("ALTER TABLE {name} ADD COLUMN shared INTEGER;")
    assert fleet.migrate(share=100).aside == 0
    assert fleet.having("aside") == fleet.having("shared") == set(fleet.numbers)


def test_nobody_is_there_two_seconds_after_the_last_request() -> None:
    clock = Clock()
    audience = Audience("", clock)
    found = []
    for calls in (7, 7, 8, 8, 8, None, 8, 8):
        audience.look(calls)
        found.append(audience.is_there)
        clock.now += 1.2
    # Not known yet, quiet, a request, just now, quiet, Redis is down, not known yet, quiet.
    assert found == [True, False, True, True, False, True, True, False]


async def test_one_goes_on_beside_those_who_are_served() -> None:
    audience = Audience("")
    tempo = Tempo(Options(batch=10), audience)
    assert audience.is_there
    async with tempo.turn() as few:
        second = asyncio.create_task(tempo.turn().__aenter__())
        await asyncio.sleep(0)
        assert not second.done()
    await second
    audience.is_there = False
    async with tempo.turn() as many, tempo.turn() as as_many:
        pass
    assert (few, many, as_many, tempo.aside) == (3, 10, 10, 2)


# The estimate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_estimate_is_the_pace_of_the_last_seconds() -> None:
    clock = Clock()
    pace = Pace(["notes"] * 100, clock)
    assert pace.seconds_left() is None
    pace.begin("notes")
    for _ in range(20):
        clock.now += 0.1
        pace.advance("notes")
    assert pace.seconds_left() == pytest.approx(8.0)
    for _ in range(10):  # slower: after five seconds the beginning is forgotten
        clock.now += 1.0
        pace.advance("notes")
    assert pace.seconds_left() == pytest.approx(70.0)


def test_a_module_that_has_not_begun_is_estimated_by_its_canary_or_not_at_all() -> None:
    clock = Clock()
    pace = Pace(["core"] * 100 + ["notes"] * 100, clock)
    pace.try_out("core", 0.2)
    pace.begin("core")
    for _ in range(20):
        clock.now += 0.1
        pace.advance("core")
    assert pace.seconds_left() is None
    pace.try_out("notes", 0.6)  # three times as long as the core
    assert pace.seconds_left() == pytest.approx(80 * 0.1 + 100 * 0.3)
