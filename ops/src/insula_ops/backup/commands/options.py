"""What the commands share: arguments, progress, answers, and what becomes of an error."""

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import asyncpg
import msgspec
import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from insula_ops.backup import address
from insula_ops.backup.errors import BackupFailed, server_says

Command = TypeVar("Command", bound=Callable[..., Any])
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def command(function: Command) -> Command:
    """Refuses a URL among the arguments; an error becomes its message and exit code 1. A server's
    details are not in it: they quote rows."""

    @functools.wraps(function)
    def run(**arguments: Any) -> Any:
        try:
            address.refuse_urls(arguments)
            return function(**arguments)
        except BackupFailed as error:
            raise click.ClickException(str(error)) from None
        except asyncpg.PostgresError as error:
            raise click.ClickException(f"the server says: {server_says(error)}") from None
        except (OSError, asyncpg.InterfaceError) as error:
            raise click.ClickException(f"{type(error).__name__}: {error}") from None

    return run  # type: ignore[return-value]


place = click.argument("place")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
jobs = click.option(
    "--jobs", default=2, show_default=True, type=click.IntRange(1, 64),
    help="Connections that read or write at the same time.",
)  # fmt: skip
identities = click.option(
    "--identity", "identities", multiple=True, metavar="FILE",
    help="A file with secret keys of age, as age-keygen writes it. May be repeated.",
)  # fmt: skip
url_file = click.option(
    "--url-file", metavar="FILE", help="A file whose first line is the database's URL; - is stdin."
)


class Span(click.ParamType[timedelta, Any]):
    """A time like ``26h`` or ``7d``."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d{1,6})([smhdw])", str(value))
        if match is None:
            self.fail("a time is a number and one of s, m, h, d, w: 26h", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


def schema_names(values: tuple[str, ...]) -> dict[str, str]:
    """``old=new`` or a name alone. A name with "=" in it cannot be given."""
    pairs = [value.partition("=") for value in values]
    return {old: new or old for old, _, new in pairs}


def print_json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(headings: list[str], rows: list[list[str]]) -> None:
    """Columns as wide as their widest cell; nothing is cut."""
    lines = [[heading.upper() for heading in headings], *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def span(seconds: float) -> str:
    """``3 days 4 h``, ``12 min 5 s``: two units are enough."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    for unit, length, smaller, part in (
        ("days", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1),
    ):  # fmt: skip
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} {seconds % length // part:.0f} {smaller}"
    return ""


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, if that is a terminal; the block gets what reports further bytes."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


def source(url_file: str | None) -> address.Address:
    """The database to back up."""
    return address.find(address.SOURCE, url_file, fall_back=True)


def fields(struct: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(struct)
