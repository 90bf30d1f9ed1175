"""What tenancy takes and gives."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from insula.http.problem import FieldError, InvalidInput
from insula.identity.schemas import (
    AccessToken,
    Email,
    LanguageTag,
    Name,
    Password,
    RefreshToken,
    Strict,
    TimeZone,
)
from insula.tenancy.tenant import Limits

RESERVED_SLUGS = frozenset(
    [
        "admin",
        "api",
        "app",
        "assets",
        "auth",
        "billing",
        "blog",
        "cdn",
        "console",
        "ctl",
        "docs",
        "ext",
        "ftp",
        "graphql",
        "health",
        "help",
        "imap",
        "insula",
        "localhost",
        "login",
        "mail",
        "metrics",
        "migrations",
        "ns",
        "oauth",
        "operator",
        "pg",
        "platform",
        "pop",
        "postgres",
        "public",
        "root",
        "smtp",
        "static",
        "status",
        "support",
        "system",
        "test",
        "well-known",
        "www",
    ]
)
_SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


class Owner(Strict):
    email: Email
    password: Password
    name: Name


class SignUp(Strict):
    slug: Annotated[str, Meta(min_length=1, max_length=100, examples=["acme"])]
    name: Name
    owner: Owner


class TenantSettings(msgspec.Struct):
    """How a tenant is shown, and shows things to those who have not said how they want them."""

    name: Annotated[str, Meta(examples=["Acme"])]
    locale: Annotated[str, Meta(examples=["en"])]
    time_zone: Annotated[str, Meta(examples=["UTC"])]
    limits: Limits
    """What the operator has set; the rest is what everybody has."""


class TenantSettingsUpdate(Strict):
    name: Name | UnsetType = UNSET
    locale: LanguageTag | UnsetType = UNSET
    time_zone: TimeZone | UnsetType = UNSET


class TenantView(msgspec.Struct):
    id: UUID
    slug: Annotated[str, Meta(examples=["acme"])]
    name: Annotated[str, Meta(examples=["Acme"])]
    status: Annotated[str, Meta(examples=["active"])]
    modules: list[str]
    """Those that are on."""


class SignedUp(msgspec.Struct):
    """The new tenant, and its owner signed in."""

    tenant: TenantView
    access_token: AccessToken
    refresh_token: RefreshToken
    expires_in: Annotated[int, Meta(examples=[900])]
    """Seconds until the access token expires."""
    token_type: str = "Bearer"


class ModuleView(msgspec.Struct):
    name: Annotated[str, Meta(examples=["notes"])]
    """One word: its address is `/api/v1/<name>`."""
    title: Annotated[str, Meta(examples=["Notes"])]
    summary: Annotated[str, Meta(examples=["Markdown notes with tags and history."])]
    enabled: bool
    needs: Annotated[list[str], Meta(examples=[[]])]
    """Modules that have to be on before this one."""
    scopes: Annotated[list[str], Meta(examples=[["notes:read", "notes:write"]])]
    """What roles can be allowed to do with it."""


class ModulesToEnable(Strict):
    enable: Annotated[
        list[Annotated[str, Meta(max_length=100)]],
        Meta(min_length=1, max_length=200, examples=[["notes", "tasks"]]),
    ]
    """Names of modules; those that others need may be among them, in any order."""


class TenantLine(msgspec.Struct):
    """A tenant as the operator sees it."""

    id: UUID
    number: int
    slug: str
    name: str
    status: str
    bucket: int
    created_at: datetime
    modules: list[str]
    suspension: str | None = None
    """Why it is suspended, as its users are told."""
    limits: dict[str, int] = {}
    """What it may, where that is not what everybody may."""
    purge_at: datetime | None = None
    """Until when a deleted tenant can be brought back."""


def check_slug(slug: str, pointer: str = "/slug") -> None:
    """A slug is a DNS label (RFC 1035) that none of our own hosts uses.

    Raises:
        InvalidInput: it is not.
    """
    if not 3 <= len(slug) <= 40 or _SLUG.fullmatch(slug) is None:
        fault = (
            "must be 3 to 40 lower-case letters, digits and single hyphens, beginning with a letter"
        )
    elif slug in RESERVED_SLUGS:
        fault = "is reserved"
    else:
        return
    raise InvalidInput(errors=(FieldError(pointer, fault),))
