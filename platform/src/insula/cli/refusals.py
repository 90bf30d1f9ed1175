"""What a person at the terminal is told about an error that is theirs to deal with."""

import asyncpg
import msgspec
from sqlalchemy.exc import SQLAlchemyError

from insula.db import RowNotFound
from insula.embedded import FolderBusy, ServerFailed
from insula.http.problem import Problem
from insula.keys import WeakSecret
from insula.module import ModuleRejected
from insula.portability.errors import ArchiveRefused
from insula.serving import PortTaken
from insula.settings import SettingsError
from insula.tenancy.cells import CellRefused
from insula.tenancy.migrations import MigrationChanged

_PLAIN = (
    SettingsError,
    WeakSecret,
    ModuleRejected,
    MigrationChanged,
    CellRefused,
    FolderBusy,
    ServerFailed,
    PortTaken,
    ArchiveRefused,
)


def explain(error: Exception) -> str | None:
    """One line about an error that was foreseen; None for a mistake of ours, which wants its
    traceback."""
    if isinstance(error, ExceptionGroup):
        return explain(error.exceptions[0])
    if isinstance(error, Problem):
        return _of_problem(error)
    if isinstance(error, _PLAIN):
        return str(error)
    if isinstance(error, RowNotFound):
        return "not found"
    if isinstance(
        error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError
    ):
        return f"PostgreSQL does not let us in ({error}): has `insula db migrate` installed it?"
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.InvalidSchemaNameError):
        return f"{error}: run `insula db migrate` first"
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | SQLAlchemyError):
        return f"PostgreSQL: {error}"
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error}"
    return None


def _of_problem(problem: Problem) -> str:
    faults = [f"{fault.pointer.strip('/')} {fault.detail}" for fault in problem.errors]
    return "; ".join(faults) or problem.detail or problem.title
