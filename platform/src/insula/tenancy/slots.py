"""Slots: empty tenants, built ahead, of which each sign-up takes one; as the catalogue sees them.

A row of ``slots`` is a schema that belongs to nobody. It is built, and dropped, in steps of one
transaction each (:mod:`insula.tenancy.filling`), and its row says how far it is.
"""

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Integer,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    column,
    delete,
    func,
    or_,
    select,
    text,
    update,
)

from insula.db import Statement
from insula.tenancy.tables import SlotRow

CHANNEL = "insula_slots"
"""Notified by a sign-up that leaves few."""


class Claimed(msgspec.Struct, frozen=True):
    """Where a new tenant lives."""

    number: int
    bucket: int
    others: int
    """Slots that were free besides, counted up to the limit that was asked about."""
    is_given_up: bool
    """Whether the slug leads to a tenant that was renamed: then it is not to be had."""


class Slot(msgspec.Struct, frozen=True):
    number: int
    bucket: int
    state: str
    version: int


class Stock(msgspec.Struct, frozen=True):
    """How many slots there are."""

    free: int
    """Ready for a sign-up."""
    building: int
    """Begun, or to be migrated."""
    dropping: int
    """Schemas of tenants that were purged, on their way out."""


_CLAIMED = (
    column("number", BigInteger),
    column("bucket", SmallInteger),
    column("others", Integer),
    column("is_given_up", Boolean),
)
_GIVEN_UP = """
EXISTS (SELECT FROM former_slugs f WHERE f.slug = :slug AND f.until > now()) AS is_given_up
"""
# Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): numbers that follow each other
# are spread evenly, and so are those of one cell, which gets a few in a row and then again after as
# many as the other cells. By the remainder, one bucket of such a cell had twice another's tenants.
BUCKET = ":first + number * 2654435769 % 4294967296 * :buckets / 4294967296"
_NEW = (
    bindparam("id", type_=Uuid),
    bindparam("slug", type_=Text),
    bindparam("name", type_=Text),
    bindparam("version", type_=Integer),
)

_WANTED = "bucket / 100 = ANY (SELECT number FROM cells WHERE state = 'open')"
# Where no cell is open, all count: or there would never be enough of them.
_COUNTED = f"({_WANTED} OR NOT EXISTS (SELECT FROM cells WHERE state = 'open'))"

# A slot at an older version is never handed out: filling brings it up to date.
CLAIM = Statement(
    text(f"""
    WITH slot AS (
        DELETE FROM slots WHERE number = (
            SELECT number FROM slots
            WHERE state = 'free' AND version >= :version AND bucket <= :highest
                AND {_WANTED}
            ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        RETURNING number, bucket, version
    ), core AS (
        INSERT INTO tenant_modules (tenant_id, module, version, enabled)
        SELECT :id, 'core', version, false FROM slot
    )
    INSERT INTO tenants (id, number, slug, name, bucket)
    SELECT :id, number, :slug, :name, bucket FROM slot
    RETURNING number, bucket, (
        SELECT count(*)::int FROM (
            SELECT FROM slots
            WHERE state = 'free' AND version >= :version AND {_WANTED}
                AND number <> tenants.number
            LIMIT :count_to
        ) AS others
    ), {_GIVEN_UP}
    """)
    .bindparams(*_NEW, bindparam("count_to", type_=Integer), bindparam("highest", type_=Integer))
    .columns(*_CLAIMED),
    Claimed,
)
"""The tenant's row and its core's, on the first free slot; no row if none is free."""

SKIP = Statement(
    text(f"""
    WITH slot AS (
        SELECT nextval('slots_number_seq') AS number
    ), core AS (
        INSERT INTO tenant_modules (tenant_id, module, version, enabled)
        SELECT :id, 'core', :version, false
    )
    INSERT INTO tenants (id, number, slug, name, bucket)
    SELECT :id, number, :slug, :name, {BUCKET} FROM slot
    RETURNING number, bucket, 0, {_GIVEN_UP}
    """)
    .bindparams(*_NEW, bindparam("first", type_=Integer), bindparam("buckets", type_=Integer))
    .columns(*_CLAIMED),
    Claimed,
)
"""The same without a slot: the schema is still to be built."""

SETTLE = Statement(
    text("""
    WITH reserved AS (
        DELETE FROM slots WHERE number = :slot
    ), core AS (
        INSERT INTO tenant_modules (tenant_id, module, version, enabled)
        VALUES (:id, 'core', :version, false)
    )
    INSERT INTO tenants (id, number, slug, name, bucket)
    VALUES (:id, :slot, :slug, :name, :bucket)
    """).bindparams(
        *_NEW, bindparam("slot", type_=BigInteger), bindparam("bucket", type_=SmallInteger)
    )
)
"""The same at a place that was reserved; its row is held from then on, so that nobody drops what is
made there."""

_number = bindparam("slot", type_=BigInteger)
_version = bindparam("version", type_=Integer)
_COLUMNS = (SlotRow.number, SlotRow.bucket, SlotRow.state, SlotRow.version)

BEGIN = Statement(
    text(f"""
    INSERT INTO slots (number, bucket)
    SELECT number, {BUCKET} FROM nextval('slots_number_seq') AS number
    RETURNING number, bucket, state, version
    """)
    .bindparams(bindparam("first", type_=Integer), bindparam("buckets", type_=Integer))
    .columns(*_COLUMNS),
    Slot,
)
TAKE = Statement(
    select(*_COLUMNS)
    .where(
        SlotRow.state == bindparam("state"),
        or_(_number.is_(None), SlotRow.number == _number),
    )
    .order_by(SlotRow.number)
    .limit(1)
    .with_for_update(skip_locked=True),
    Slot,
)
"""One that is in this state and that nobody is at; the one of this number, if one is given."""
SET = Statement(
    update(SlotRow)
    .where(SlotRow.number == _number)
    .values(state=bindparam("new_state"), version=bindparam("new_version"))
)
# What has been applied to them stays: they lack the newer files.
REOPEN = Statement(
    update(SlotRow)
    .where(SlotRow.state == "free", SlotRow.version < _version)
    .values(state="building")
)
GIVE_UP = Statement(update(SlotRow).where(SlotRow.number == _number).values(state="dropping"))
REMOVE = Statement(delete(SlotRow).where(SlotRow.number == _number))
COUNT = Statement(
    select(
        func.count()
        .filter(SlotRow.state == "free", SlotRow.version >= _version, text(_COUNTED))
        .label("free"),
        func.count()
        .filter(
            or_(SlotRow.state == "building", SlotRow.version < _version),
            SlotRow.state != "dropping",
        )
        .label("building"),
        func.count().filter(SlotRow.state == "dropping").label("dropping"),
    ),
    Stock,
)
# Filling is one process's at a time: two that count at once would both build what is missing.
# Sign-ups take this lock not amiss.
LEAD = Statement(text("LOCK TABLE slots IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"))
