"""What ends a command, in words for the person or the log that reads it."""

import asyncio
from typing import Any

import asyncpg


class BackupFailed(Exception):
    """The message says what happened and what to do next; it never holds a secret."""


class Damaged(BackupFailed):
    """A backup is not what was written: a file is missing, changed, or cannot be read."""


def first_of(group: BaseExceptionGroup[Any]) -> BaseException:
    """Of several failures the one that was not caused by another's end."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return first_of(error)
        if not isinstance(error, asyncio.CancelledError):
            return error  # type: ignore[no-any-return]
    return group.exceptions[0]


def server_says(error: asyncpg.PostgresError) -> str:
    """A server's message without its details, which quote rows."""
    return error.message or str(error)
