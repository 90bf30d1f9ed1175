"""Saved filters: the query of a list of tasks, kept, with words for what changes daily."""

import re
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import msgspec
from insula.db import Work
from insula.db.ids import new_id
from insula.http.conditional import require_match
from insula.http.problem import FieldError, InvalidInput
from insula.i18n import say
from msgspec import UNSET

from insula_tenants.tasks import clock
from insula_tenants.tasks.errors import TooMany
from insula_tenants.tasks.queries import around as queries
from insula_tenants.tasks.queries.tasks import LIST
from insula_tenants.tasks.schemas.around import Filter, FilterCreate, FilterUpdate

MOST = 200
_WORD = re.compile(r"@(today|now|me)(?:([+-])([0-9]{1,4}))?")
_OF_REQUEST = frozenset({"cursor", "limit", "fields"})


async def create(tx: Work, new: FilterCreate, user_id: UUID) -> Filter:
    _check(new.query, new.zone, user_id)
    if await tx.one(queries.COUNT_FILTERS, user_id=user_id) >= MOST:
        raise TooMany(say("At most {most} filters of one user.", most=MOST))
    values = msgspec.structs.asdict(new)
    return await tx.one(queries.INSERT_FILTER, id=new_id(), owner_id=user_id, **values)


async def update(
    tx: Work, filter_id: UUID, change: FilterUpdate, user_id: UUID, if_match: str | None
) -> Filter:
    """Change one's own filter."""
    kept = await tx.one(queries.LOCK_FILTER, id=filter_id, user_id=user_id)
    require_match(if_match, kept.version)
    given = {k: v for k, v in msgspec.structs.asdict(change).items() if v is not UNSET}
    _check(given.get("query", kept.query), given.get("zone", kept.zone), user_id)
    if not given:
        return kept
    statement = queries.update_filter(tuple(sorted(given)))
    return await tx.one(statement, filter_id=filter_id, **given)


async def delete(tx: Work, filter_id: UUID, user_id: UUID, if_match: str | None) -> None:
    kept = await tx.one(queries.LOCK_FILTER, id=filter_id, user_id=user_id)
    require_match(if_match, kept.version)
    await tx.execute(queries.DELETE_FILTER, filter_id=filter_id)


def _check(query: str, zone: str, user_id: UUID) -> None:
    """Hold the query against what a list takes: what is kept now must work tomorrow."""
    try:
        clock.zone_of(zone)
    except clock.ZoneUnknown as error:
        raise InvalidInput(errors=(FieldError("/zone", str(error)),)) from error
    if _OF_REQUEST & dict(parse_qsl(query, keep_blank_values=True)).keys():
        fault = say("{of_request} belong to the request", of_request=", ".join(sorted(_OF_REQUEST)))
        raise InvalidInput(errors=(FieldError("/query", fault),))
    try:
        LIST.read(spell_out(query, zone, user_id))
    except InvalidInput as error:
        faults = (
            FieldError("/query", say("{pointer}: {detail}", pointer=f.pointer, detail=f.detail))
            for f in error.errors
        )
        raise InvalidInput(errors=tuple(faults)) from error


def spell_out(query: str, zone: str, user_id: UUID) -> str:
    """The query with its ``@words`` replaced by what they stand for now."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, _value(value, zone, user_id)) for name, value in pairs])


def _value(value: str, zone: str, user_id: UUID) -> str:
    # A bare + in a query string is a blank.
    match = _WORD.fullmatch(value.replace(" ", "+"))
    if match is None:
        return value
    word, sign, number = match.groups()
    if word == "me":
        return str(user_id)
    shift = timedelta(days=int(f"{sign or '+'}{number or 0}"))
    now = clock.local(clock.now(), zone) + shift
    if word == "today":
        return now.date().isoformat()
    return clock.instant(now.date(), now.time(), zone).isoformat()


def combined(kept: Filter, user_id: UUID, query_string: str) -> str:
    """What the request asks for, over what the filter says."""
    pairs = dict(parse_qsl(spell_out(kept.query, kept.zone, user_id), keep_blank_values=True))
    return urlencode(pairs | dict(parse_qsl(query_string, keep_blank_values=True)))
