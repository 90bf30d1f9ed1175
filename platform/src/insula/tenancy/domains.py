"""A tenant's own host names.

Anybody may claim one; it becomes theirs when a TXT record shows that they rule over it. Only then
is a request for it the tenant's, and may a certificate be had for it.
"""

import secrets
from datetime import datetime
from typing import Annotated
from uuid import UUID

import asyncpg
import idna
import msgspec
from msgspec import Meta
from sqlalchemy import bindparam, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from insula.db import Statement, Work, binds
from insula.http.problem import FieldError, InvalidInput, NotFound
from insula.i18n import say
from insula.identity.schemas import Strict
from insula.tenancy.dns import NameServers
from insula.tenancy.errors import DomainTaken, DomainUnproved, TooManyDomains
from insula.tenancy.provisioning import raise_epoch
from insula.tenancy.tables import DomainRow, FormerSlug, TenantRow
from insula.tenancy.tenant import Tenant

MOST = 20
"""Domains that a tenant may have, proved or not."""

_LABEL = "_insula"


class DomainClaim(Strict):
    name: Annotated[str, Meta(min_length=4, max_length=253, examples=["www.example.com"])]


class Record(msgspec.Struct):
    """What the domain's owner puts into the DNS."""

    type: Annotated[str, Meta(examples=["TXT"])]
    name: Annotated[str, Meta(examples=["_insula.www.example.com"])]
    value: Annotated[str, Meta(examples=["insula-verification=Zm9v"])]


class Domain(msgspec.Struct):
    name: Annotated[str, Meta(examples=["www.example.com"])]
    verified_at: datetime | None
    """When it was proved that it is yours; null until then."""
    failing_since: datetime | None
    """Since when the record of a verified domain has been missing; null while it is there."""
    record: Record
    created_at: datetime


class Claimed(msgspec.Struct, frozen=True):
    name: str
    token: str
    verified_at: datetime | None
    failing_since: datetime | None
    created_at: datetime


class Rival(msgspec.Struct, frozen=True):
    tenant_id: UUID
    token: str
    is_deleted: bool
    """The tenant: its record may have been left behind."""


_mine = (DomainRow.tenant_id == bindparam("tenant"), DomainRow.name == bindparam("domain"))
_columns = select(
    DomainRow.name,
    DomainRow.token,
    DomainRow.verified_at,
    DomainRow.failing_since,
    DomainRow.created_at,
)
_ALL = Statement(
    _columns.where(DomainRow.tenant_id == bindparam("tenant")).order_by(DomainRow.name), Claimed
)
_ONE = Statement(_columns.where(*_mine), Claimed)
_CLAIM = Statement(
    upsert(DomainRow).values(**binds("tenant_id", "name", "token")).on_conflict_do_nothing()
)
_RIVAL = Statement(
    select(
        DomainRow.tenant_id,
        DomainRow.token,
        (TenantRow.status == "deleted").label("is_deleted"),
    )
    .join(TenantRow, TenantRow.id == DomainRow.tenant_id)
    .where(
        DomainRow.name == bindparam("domain"),
        DomainRow.verified_at.is_not(None),
        DomainRow.tenant_id != bindparam("tenant"),
    ),
    Rival,
)
_LOSE = Statement(
    update(DomainRow)
    .where(DomainRow.name == bindparam("domain"), DomainRow.tenant_id == bindparam("tenant"))
    .values(verified_at=None, failures=0, failing_since=None)
)
_WIN = Statement(
    update(DomainRow)
    .where(*_mine)
    .values(verified_at=func.now(), asked_at=func.now(), failures=0, failing_since=None)
)
_GIVE_UP = Statement(delete(DomainRow).where(*_mine).returning(DomainRow.name), str)
# A tenant claims one after the other, or two claims could both be the last one allowed.
_LOCK = Statement(
    select(TenantRow.id).where(TenantRow.id == bindparam("tenant")).with_for_update(), UUID
)
# A tenant that is suspended gets no new certificate: it may have been suspended for what its pages
# claim to be, and whoever asks an authority for it vouches for it. Those that there are serve on,
# so that its visitors are told why nobody lets them in.
_serves = (TenantRow.status == "active") | (TenantRow.status == "moving")
_IS_HOST = Statement(
    select(
        exists().where(
            DomainRow.name == bindparam("domain"),
            DomainRow.verified_at.is_not(None),
            TenantRow.id == DomainRow.tenant_id,
            _serves,
        )
        | exists().where(TenantRow.slug == bindparam("slug"), _serves)
        # A slug that leads to another cannot do so without a certificate.
        | exists().where(
            FormerSlug.slug == bindparam("slug"),
            FormerSlug.until > func.now(),
            TenantRow.id == FormerSlug.tenant_id,
            _serves,
        )
    ),
    bool,
)


async def list_domains(catalogue: Work, tenant: Tenant) -> list[Domain]:
    return [view(found) for found in await catalogue.many(_ALL, tenant=tenant.id)]


async def claim(catalogue: Work, tenant: Tenant, name: str, *, base_domain: str) -> Domain:
    """Say that a host name is the tenant's. Doing so twice changes nothing.

    Raises:
        InvalidInput, TooManyDomains: see there.
    """
    name = canonical(name, base_domain=base_domain)
    await catalogue.one(_LOCK, tenant=tenant.id)
    claimed = {found.name for found in await catalogue.many(_ALL, tenant=tenant.id)}
    if name not in claimed and len(claimed) >= MOST:
        raise TooManyDomains
    await catalogue.execute(_CLAIM, tenant_id=tenant.id, name=name, token=secrets.token_urlsafe(24))
    return view(await catalogue.one(_ONE, tenant=tenant.id, domain=name))


async def get(catalogue: Work, tenant: Tenant, name: str) -> Claimed:
    """Raises:
    NotFound: the tenant has not claimed it.
    """
    found = await catalogue.find(_ONE, tenant=tenant.id, domain=name.lower())
    if found is None:
        raise NotFound(say("Claim it first: POST /api/v1/domains."))
    return found


async def find_rival(catalogue: Work, tenant: Tenant, name: str) -> Rival | None:
    """Another tenant whose domain it is."""
    return await catalogue.find(_RIVAL, tenant=tenant.id, domain=name)


async def prove(servers: NameServers, claimed: Claimed, rival: Rival | None) -> None:
    """Ask the DNS. Whoever rules over the domain decides: a tenant whose record is gone loses it to
    the one whose record is there. Holds no connection, for name servers may be slow.

    Raises:
        DomainUnproved, DomainUnreachable, DomainTaken: see there.
    """
    name = record_name(claimed.name)
    found = await servers.texts(name)
    if record_value(claimed.token) not in found:
        raise DomainUnproved(
            say("There is no TXT record of {name} with that value.", name=name), found=found[:10]
        )
    if rival is not None and not rival.is_deleted and record_value(rival.token) in found:
        raise DomainTaken


async def win(catalogue: Work, tenant: Tenant, name: str) -> tuple[int, tuple[Rival, int] | None]:
    """Make a proved domain the tenant's. Returns its new epoch, and who has lost it with theirs.

    Raises:
        DomainTaken: another tenant has proved it in this moment.
    """
    rival = await catalogue.find(_RIVAL, tenant=tenant.id, domain=name)
    lost = None
    if rival is not None:
        await catalogue.execute(_LOSE, tenant=rival.tenant_id, domain=name)
        lost = (rival, await raise_epoch(catalogue, rival.tenant_id))
    try:
        await catalogue.execute(_WIN, tenant=tenant.id, domain=name)
    except asyncpg.UniqueViolationError as error:
        raise DomainTaken from error
    return await raise_epoch(catalogue, tenant.id), lost


async def give_up(catalogue: Work, tenant: Tenant, name: str) -> int:
    """Returns the tenant's new epoch.

    Raises:
        NotFound: the tenant has not claimed it.
    """
    if await catalogue.find(_GIVE_UP, tenant=tenant.id, domain=name.lower()) is None:
        raise NotFound
    return await raise_epoch(catalogue, tenant.id)


async def is_host(catalogue: Work, name: str, *, base_domain: str) -> bool:
    """Whether requests for this host are some tenant's, so that it may have a certificate."""
    name = name.lower().rstrip(".")
    suffix = f".{base_domain.lower()}"
    slug = name[: -len(suffix)] if name.endswith(suffix) else ""
    return await catalogue.one(_IS_HOST, domain=name, slug=slug)


def canonical(name: str, *, base_domain: str) -> str:
    """A host name as it comes in requests: A-labels (RFC 5891), lower case.

    Raises:
        InvalidInput: it is none, or one of the installation's own.
    """
    base_domain = base_domain.lower()
    try:
        host = idna.encode(name.rstrip("."), uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        fault = "is not a host name"
    else:
        if "." not in host or host.rpartition(".")[2].isdigit():
            fault = "must be a whole host name, such as www.example.com"
        elif host == base_domain or host.endswith(f".{base_domain}"):
            fault = "is one of this installation's own"
        else:
            return host
    raise InvalidInput(errors=(FieldError("/name", fault),))


def record_name(domain: str) -> str:
    """Where the record of a domain is."""
    return f"{_LABEL}.{domain}"


def record_value(token: str) -> str:
    """What it says."""
    return f"insula-verification={token}"


def view(found: Claimed) -> Domain:
    record = Record("TXT", record_name(found.name), record_value(found.token))
    return Domain(found.name, found.verified_at, found.failing_since, record, found.created_at)
