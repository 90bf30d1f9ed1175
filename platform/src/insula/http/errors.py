"""Turning whatever was raised into a problem, in one place."""

import re
from typing import Any

import asyncpg
import structlog
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from insula.db import RowNotFound
from insula.db.pool import PoolExhausted
from insula.http.problem import (
    BadRequest,
    ContentTooLarge,
    FieldError,
    Forbidden,
    InvalidInput,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from insula.i18n.validation import validation_text

log = structlog.get_logger("insula.errors")

RETRYABLE = (
    asyncpg.InvalidCachedStatementError,  # a migration changed a table under a cached plan
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
_STRANDED = (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError)
_ROLE = re.compile(r'\brole "t_\d+"')
DATABASE_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection is dying and asyncpg has not noticed yet
    OSError,
)
_UNAVAILABLE = (
    PoolExhausted,
    ConnectionError,
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,  # after a failover, on a connection to what is a standby
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    *RETRYABLE,
)
# A migration has not come to this tenant yet, or it failed here (`insula db status`).
_BEHIND = (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError)
_BY_STATUS: dict[int, type[Problem]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    413: ContentTooLarge,
    415: UnsupportedMediaType,
    503: Unavailable,
}


def has_moved(error: BaseException) -> bool:
    """Whether the tenant may have gone to another server: it may not be written to here any more,
    or its role cannot be bound (:mod:`insula.tenancy.moving.fencing`)."""
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return True
    return isinstance(error, _STRANDED) and _ROLE.search(str(error)) is not None


def is_retryable(error: BaseException) -> bool:
    """Whether the same request may succeed in another attempt."""
    return isinstance(error, RETRYABLE) or has_moved(error)


def to_problem(error: BaseException) -> Problem:
    """The problem that an exception amounts to; what nobody foresaw is logged and opaque."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RowNotFound):
        return NotFound()
    if isinstance(error, ValidationException):
        return InvalidInput(errors=_field_errors(error))
    if isinstance(error, HTTPException):
        return _from_http(error)
    if has_moved(error):
        return Unavailable(headers={"Retry-After": "1"})
    if isinstance(error, asyncpg.DataError):  # a number or text that no column can hold
        return InvalidInput("A value is out of the range that can be stored.")
    if isinstance(error, _BEHIND):
        log.error("the tables are older than the code", error=repr(error))
        return Unavailable(headers={"Retry-After": "60"})
    if isinstance(error, _UNAVAILABLE):
        log.warning("unavailable", error=repr(error))
        return Unavailable(headers={"Retry-After": "1"})
    log.error("unexpected error", exc_info=error)
    return Problem()


def _from_http(error: HTTPException) -> Problem:
    if isinstance(error, NotFoundException | MethodNotAllowedException):
        return _BY_STATUS[error.status_code]()
    kind = _BY_STATUS.get(error.status_code)
    if kind is None:
        log.error("unexpected HTTP exception", exc_info=error)
        return Problem()
    return kind(_without_internals(error.detail))


def _without_internals(detail: str) -> str:
    return detail.partition("\n")[0][:300]


_PATH = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)


def _field_errors(error: ValidationException) -> tuple[FieldError, ...]:
    extra: Any = error.extra if isinstance(error.extra, list) else []
    found = []
    for item in extra:
        match = _PATH.match(str(item.get("message", "")))
        what = match["what"] if match else ""
        inner = _pointer(match["path"] or "") if match else ""
        found.append(FieldError(_where(item, inner), validation_text(what)))
    return tuple(found) or (FieldError("", _without_internals(error.detail)),)


def _where(item: dict[str, Any], inner: str) -> str:
    """A pointer into the body, or the name of a parameter."""
    source, key = str(item.get("source", "body")), str(item.get("key", ""))
    if source in ("query", "path", "header", "cookie"):
        return f"?{key}" if source == "query" else f"{source}:{key}"
    if inner:
        return inner
    return _pointer("." + ".".join(part for part in key.split(".") if part and part != "data"))


def _pointer(path: str) -> str:
    """msgspec's ``$.a[0].b`` as a JSON pointer (RFC 6901)."""
    steps = re.findall(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]", path)
    return "".join(f"/{_escape(name or index)}" for name, index in steps)


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
