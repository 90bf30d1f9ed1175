"""Writing the migration that leads from a module's migrations to its table classes.

Alembic's autogenerate compares the classes with a scratch schema in which the migrations were
applied. It does not see triggers, nor changes of CHECK constraints or generated columns, so what it
wrote is then tried: the schema that results is held against one made from the classes directly.
"""

import asyncio
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec
from alembic.autogenerate import produce_migrations
from alembic.operations import Operations
from alembic.operations.ops import MigrateOperation, OpContainer
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from insula.authoring.scratch import Scratch, Shape, scratch
from insula.authoring.targets import Target, find_target


class Revision(msgspec.Struct, frozen=True):
    """What was written; no ``path`` where there was nothing to write."""

    path: str | None
    sql: str
    open: tuple[str, ...]
    """Differences that the file does not close, each in a line."""


class Difference(msgspec.Struct, frozen=True):
    """How far migrations are from the table classes."""

    sql: str
    open: tuple[str, ...]


def revise(name: str, message: str, url: str) -> Revision:
    """Write the next migration of ``name`` (a module, ``core`` or ``catalogue``) into its folder.

    Raises:
        ModuleNotInstalled: there is no such module.
    """
    target = find_target(name)
    found = asyncio.run(difference(target, url))
    if not found.sql:
        return Revision(None, "", found.open)
    number = len(target.migrations()) + 1
    file = _directory(target.folder) / f"{number:04}_{_slug(message)}.sql"
    file.write_text(found.sql, encoding="utf-8")
    return Revision(str(file), found.sql, found.open)


def _slug(message: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")[:60] or "change"


def _directory(folder: Traversable) -> Path:
    path = Path(str(folder))
    path.mkdir(exist_ok=True)
    return path


async def difference(target: Target, url: str) -> Difference:
    """What leads from the migrations of ``target`` to its table classes; nothing stays in the
    database."""
    async with scratch(url) as place:
        await place.enter("insula_migrated")
        beneath = await _apply(place, target.beneath)
        await _apply(place, (sql for _, sql in target.migrations()))
        sql = await place.connection.run_sync(_generate, target, beneath)
        if sql:
            await place.run(sql)
        reached = await place.shape(beneath)
        wanted = await _wanted(place, target)
        checks = [*_checks(reached, wanted), *_triggers(reached, wanted)]
        closed = {what for what, _ in checks}
        sql = "\n\n".join(part for part in (sql, *(line for _, line in checks)) if part)
    rest = [what for what in _differing(reached, wanted) if what not in closed]
    return Difference(
        sql + "\n" if sql else "",
        tuple(f"{what}: {reached.get(what)} should be {wanted.get(what)}" for what in rest),
    )


async def _apply(place: Scratch, scripts: Iterable[str]) -> set[str]:
    for sql in scripts:
        await place.run(sql)
    return await place.table_names()


async def _wanted(place: Scratch, target: Target) -> Shape:
    """The schema as the classes alone would make it."""
    await place.enter("insula_declared")
    beneath = await _apply(place, target.beneath)
    await place.connection.run_sync(
        lambda connection: target.metadata.create_all(
            connection, tables=target.tables, checkfirst=False
        )
    )
    return await place.shape(beneath)


def _differing(reached: Shape, wanted: Shape) -> list[str]:
    return sorted(what for what in {*reached, *wanted} if reached.get(what) != wanted.get(what))


def _checks(reached: Shape, wanted: Shape) -> Iterator[tuple[str, str]]:
    """Each CHECK constraint that differs, with the SQL that mends it."""
    for what in _differing(reached, wanted):
        old, new = reached.get(what, ""), wanted.get(what, "")
        if not (old or new).startswith("CHECK"):
            continue
        table, _, name = what.partition(": constraint ")
        steps = [f"DROP CONSTRAINT {name}"] if old else []
        steps += [f"ADD CONSTRAINT {name} {new}"] if new else []
        yield what, "\n\n".join(f"ALTER TABLE {table} {step};" for step in steps)


def _triggers(reached: Shape, wanted: Shape) -> Iterator[tuple[str, str]]:
    """Each trigger that differs, with the SQL that mends it."""
    for what in _differing(reached, wanted):
        table, _, name = what.partition(": trigger ")
        if not name:
            continue
        steps = [f"DROP TRIGGER {name} ON {table};"] if what in reached else []
        steps += [f"{wanted[what]};"] if what in wanted else []
        yield what, "\n\n".join(steps)


# Alembic


def _generate(connection: Connection, target: Target, beneath: set[str]) -> str:
    own = {table.name for table in target.tables}

    def concerns(name: str | None, kind: str, _: Any) -> bool:
        return kind != "table" or name not in beneath

    def declared(thing: Any, name: str | None, kind: str, reflected: bool, _: Any) -> bool:
        return kind != "table" or reflected or name in own

    options = {
        "include_name": concerns,
        "include_object": declared,
        "compare_type": True,
        "compare_server_default": True,
    }
    context = MigrationContext.configure(connection, opts=options)
    with warnings.catch_warnings():
        # "computed default cannot be modified": found by the comparison of the results
        warnings.simplefilter("ignore", UserWarning)
        script = produce_migrations(context, target.metadata)
    assert script.upgrade_ops is not None
    return _as_sql(script.upgrade_ops)


def _as_sql(operations: OpContainer) -> str:
    """Operations as SQL to read: Alembic's offline mode, in this project's layout."""
    buffer = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": buffer}
    )
    invoke = Operations(context).invoke
    for operation in _flat(operations):
        invoke(operation)
    lines = (line.rstrip() for line in buffer.getvalue().expandtabs(4).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _flat(operations: OpContainer) -> Iterator[MigrateOperation]:
    for operation in operations.ops:
        if isinstance(operation, OpContainer):
            yield from _flat(operation)
        else:
            yield operation
