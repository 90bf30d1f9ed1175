"""``insula tenants slots``: the empty tenants that are built ahead for sign-ups."""

import asyncio
from collections.abc import Callable

import rich_click as click

from insula.cli.operating import installation_settings
from insula.cli.printing import json_option, print_json, print_record, progress_bar
from insula.tenancy.cells import Cells
from insula.tenancy.filling import Filling
from insula.tenancy.slots import Stock


@click.command()
@click.option("--fill", type=click.IntRange(0, 100_000), help="Build until so many are free.")
@click.option("--at-once", type=click.IntRange(1, 32), default=4, help="Builders side by side.")
@json_option
def slots(fill: int | None, at_once: int, as_json: bool) -> None:
    """Empty tenants, built ahead for sign-ups; workers keep INSULA_SLOTS of them.

    Fill them ahead of a rush. Interrupted, the next fill, or a worker, goes on where this one
    ended.
    """
    with progress_bar() as report:

        def progress(done: int, total: int) -> None:
            report("slots", done, total)

        stock = asyncio.run(_fill(fill, at_once, progress))
    if as_json:
        print_json(stock)
    else:
        print_record(stock)


async def _fill(target: int | None, at_once: int, progress: Callable[[int, int], None]) -> Stock:
    settings = installation_settings()
    cells = Cells(settings, size=at_once)
    filling = Filling(cells.catalogue, buckets=settings.buckets)
    try:
        if target is not None:
            await filling.fill(target, progress, at_once=at_once)
        return await filling.stock()
    finally:
        await cells.close()
