"""What tenancy takes and gives."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from insula.http.problem import FieldError, InvalidInput
from insula.identity.schemas import Email, Name, Password, Strict

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


class TenantView(msgspec.Struct):
    id: UUID
    slug: str
    name: str
    status: str
    modules: list[str]


class SignedUp(msgspec.Struct):
    """The new tenant, and its owner signed in."""

    tenant: TenantView
    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"


class ModuleView(msgspec.Struct):
    name: str
    title: str
    summary: str
    enabled: bool
    needs: list[str]
    scopes: list[str]


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
