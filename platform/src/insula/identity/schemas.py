"""What identity takes and gives."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

Name = Annotated[str, Meta(min_length=1, max_length=200, examples=["Ada Lovelace"])]
Email = Annotated[str, Meta(min_length=3, max_length=254, examples=["ada@example.com"])]
Password = Annotated[str, Meta(min_length=1, max_length=1024, examples=["correct horse battery"])]
Role = Literal["owner", "admin", "member", "customer"]
Status = Literal["active", "disabled"]
LanguageTag = Annotated[str, Meta(min_length=2, max_length=35, examples=["de"])]
"""BCP 47; one of those that Insula speaks is kept."""
TimeZone = Annotated[str, Meta(min_length=1, max_length=64, examples=["Europe/Berlin"])]
"""A name of the IANA time zone database."""
AccessToken = Annotated[str, Meta(examples=["eyJhbGciOiJFZDI1NTE5IiwidHlwIjoiYXQrand0In0.…"])]
RefreshToken = Annotated[str, Meta(examples=["Ls3nFv4T…"])]


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Input: a field that nobody knows is a mistake worth telling."""


class Credentials(Strict):
    email: Email
    password: Password


class UserCreate(Strict):
    email: Email
    name: Name
    password: Password
    role: Role = "member"


class UserUpdate(Strict):
    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class MeUpdate(Strict):
    name: Name | UnsetType = UNSET
    locale: LanguageTag | UnsetType | None = UNSET
    """The language to be addressed in; null: what the device asks for. New access tokens carry
    it."""
    time_zone: TimeZone | UnsetType | None = UNSET


class RefreshRequest(Strict):
    refresh_token: Annotated[RefreshToken, Meta(min_length=1, max_length=512)]


class User(msgspec.Struct):
    id: UUID
    email: Annotated[str, Meta(examples=["ada@example.com"])]
    name: Annotated[str, Meta(examples=["Ada Lovelace"])]
    role: Annotated[str, Meta(examples=["member"])]
    status: Status
    version: int
    """Counts the changes; the `ETag`."""
    created_at: datetime
    updated_at: datetime


class Tokens(msgspec.Struct):
    """RFC 6749, section 5.1."""

    access_token: AccessToken
    refresh_token: RefreshToken
    """Good for one refresh."""
    expires_in: Annotated[int, Meta(examples=[900])]
    """Seconds until the access token expires."""
    token_type: str = "Bearer"


class MeTenant(msgspec.Struct):
    id: UUID
    slug: Annotated[str, Meta(examples=["acme"])]
    name: Annotated[str, Meta(examples=["Acme"])]
    modules: Annotated[list[str], Meta(examples=[["notes"]])]
    """Those that are on."""


class Me(msgspec.Struct):
    """The signed-in user, the tenant, and what may be done."""

    user: User
    locale: str
    """The language that the user is addressed in."""
    time_zone: Annotated[str, Meta(examples=["Europe/Berlin"])]
    tenant: MeTenant
    scopes: Annotated[list[str], Meta(examples=[["notes:read", "users:read"]])]
    session_id: UUID
