"""Slots: empty tenants, built ahead, of which each sign-up takes one.

A slot is built in steps of one transaction each. Its row is locked meanwhile and says how far it
is, so whoever comes next, here or in another process, goes on where a killed one ended.
"""

import msgspec
from sqlalchemy import BigInteger, Integer, SmallInteger, Text, Uuid, bindparam, column, text

from insula.db import Statement


class Place(msgspec.Struct, frozen=True):
    """Where a tenant lives."""

    number: int
    bucket: int


_PLACE = (column("number", BigInteger), column("bucket", SmallInteger))
_NEW = (
    bindparam("id", type_=Uuid),
    bindparam("slug", type_=Text),
    bindparam("name", type_=Text),
    bindparam("version", type_=Integer),
)

# Slots at a version that is not ours yet are left to the fleet's migration.
CLAIM = Statement(
    text("""
    WITH slot AS (
        DELETE FROM slots WHERE number = (
            SELECT number FROM slots WHERE state = 'free' AND version >= :version
            ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        RETURNING number, bucket, version
    ), core AS (
        INSERT INTO tenant_modules (tenant_id, module, version, enabled)
        SELECT :id, 'core', version, false FROM slot
    )
    INSERT INTO tenants (id, number, slug, name, bucket)
    SELECT :id, number, :slug, :name, bucket FROM slot
    RETURNING number, bucket
    """)
    .bindparams(*_NEW)
    .columns(*_PLACE),
    Place,
)
"""The tenant's row and its core's, on the first free slot; no row if none is free."""

SKIP = Statement(
    text("""
    WITH slot AS (
        SELECT nextval('slots_number_seq') AS number
    ), core AS (
        INSERT INTO tenant_modules (tenant_id, module, version, enabled)
        SELECT :id, 'core', :version, false
    )
    INSERT INTO tenants (id, number, slug, name, bucket)
    SELECT :id, number, :slug, :name, number % :buckets FROM slot
    RETURNING number, bucket
    """)
    .bindparams(*_NEW, bindparam("buckets", type_=Integer))
    .columns(*_PLACE),
    Place,
)
"""The same without a slot: the schema is still to be built."""
