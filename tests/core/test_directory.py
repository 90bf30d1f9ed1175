"""What a process remembers of tenants: nothing is read again without need, no change is missed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fixtures.command import CommandLine
from fixtures.installation import Installation, SignUp
from insula.db import Work
from insula.tenancy import provisioning, tenant
from insula.tenancy.cells import CATALOGUE_PRELUDE, HOME, Cells
from insula.tenancy.tenant import Directory


class Counting:
    """The catalogue, with a count of the statements."""

    def __init__(self, work: Work) -> None:
        self.asked = 0
        self._work = work

    async def find(self, *statement: Any, **params: Any) -> Any:
        self.asked += 1
        return await self._work.find(*statement, **params)

    async def many(self, *statement: Any, **params: Any) -> Any:
        self.asked += 1
        return await self._work.many(*statement, **params)


def with_catalogue(
    installation: Installation, test: Callable[[Any, Cells], Awaitable[None]]
) -> None:
    async def inside() -> None:
        cells = Cells(installation.settings, size=2)
        try:
            work = cells.catalogue.work(HOME, CATALOGUE_PRELUDE, writes=False)
            await test(Counting(work), cells)
        finally:
            await cells.close()

    asyncio.run(inside())


def test_one_question_finds_every_change(
    installation: Installation, sign_up: SignUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """… that Redis was silent about: of tenants that are cached, by slug, id and number."""
    monkeypatch.setattr(tenant, "_LATE_SECONDS", 5.0)
    quiet, changed = sign_up(), sign_up()

    async def test(catalogue: Any, cells: Cells) -> None:
        directory = Directory()
        known = {
            each.slug: await directory.by_slug(each.slug, catalogue) for each in (quiet, changed)
        }
        old, other = known[changed.slug], known[quiet.slug]
        assert other is not None
        assert old is not None
        async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as work:
            await provisioning.set_preferences(
                work, old.id, name="New", locale="de", time_zone="UTC"
            )
        assert (await directory.by_slug(changed.slug, catalogue)) is old
        monkeypatch.setattr(directory, "_sweep_at", 0.0)
        before = catalogue.asked
        for _ in range(3):
            assert (await directory.by_id(other.key, catalogue)) is not None
        for read in (
            directory.by_slug(changed.slug, catalogue),
            directory.by_id(old.key, catalogue),
            directory.by_number(old.number, catalogue),
        ):
            new = await read
            assert new is not None
            assert (new.locale, new.epoch) == ("de", old.epoch + 1)
        assert catalogue.asked - before <= 3  # the sweep, and those that had changed

    with_catalogue(installation, test)


def test_a_slug_that_has_gone_to_another_tenant_is_noticed(
    installation: Installation, sign_up: SignUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = sign_up()
    command = CommandLine(installation)

    async def test(catalogue: Any, cells: Cells) -> None:
        directory = Directory()
        old = await directory.by_slug(gone.slug, catalogue)
        assert old is not None
        async with cells.catalogue.transaction(HOME, CATALOGUE_PRELUDE) as work:
            await work.run_script(
                f"UPDATE tenants SET slug = 'x-' || slug WHERE slug = '{gone.slug}'"
            )
        new = await asyncio.to_thread(command.create, gone.slug)
        monkeypatch.setattr(directory, "_sweep_at", 0.0)
        found = await directory.by_slug(gone.slug, catalogue)
        assert found is not None
        assert found.number == new["number"] != old.number

    with_catalogue(installation, test)
