"""Who somebody is to a poll: a user, a voting token or a browser.

A voter is known by an HMAC over the poll and who it is, so that the table of voters tells neither
who voted, nor that the voters of two polls are the same.
"""

import base64
import hashlib
import hmac
import secrets
from functools import cache
from uuid import UUID

import msgspec
from insula.db import Work
from insula.http.exchange import Caller
from insula.http.problem import Forbidden, Unauthenticated
from insula.i18n import say
from insula.keys import derive

from insula_tenants.polls.errors import VotingTokenRefused
from insula_tenants.polls.permissions import READ, VOTE
from insula_tenants.polls.queries import votes
from insula_tenants.polls.schemas import Poll

COOKIE = "insula-poll-voter"
COOKIE_SECONDS = 365 * 86400
_ID_BYTES = 16


class Visitor(msgspec.Struct, frozen=True):
    """What a request shows of who it comes from."""

    secret: str
    """The installation's."""
    caller: Caller | None = None
    token: str | None = None
    cookie: str | None = None


class Voter(msgspec.Struct, frozen=True):
    """``user_id`` is set where the vote may be kept together with the user."""

    key: bytes
    user_id: UUID | None = None
    cookie: str = ""
    """A fresh one, to be set."""


async def identify(tx: Work, poll: Poll, visitor: Visitor) -> Voter:
    """The voter that somebody is, or becomes: without a cookie, a new browser.

    Raises:
        Unauthenticated, Forbidden, VotingTokenRefused: none that has a vote in this poll.
    """
    if poll.voters == "cookie":
        return _browser(poll, visitor)
    if poll.voters == "user":
        return _user(poll, visitor)
    return await _token(tx, poll, visitor)


async def recognise(tx: Work, poll: Poll, visitor: Visitor) -> Voter | None:
    """The voter that somebody is, None if they show nothing that says so.

    Raises:
        Unauthenticated, Forbidden, VotingTokenRefused: the poll is not for them to see.
    """
    if poll.voters == "token" and not visitor.token:
        return None
    if poll.voters == "user" and _only_reads(visitor.caller):
        return None
    voter = await identify(tx, poll, visitor)
    return None if voter.cookie else voter


def _only_reads(caller: Caller | None) -> bool:
    return caller is not None and VOTE not in caller.scopes and READ in caller.scopes


def _user(poll: Poll, visitor: Visitor) -> Voter:
    caller = visitor.caller
    if caller is None:
        raise Unauthenticated("This poll is for users of the tenant.")
    if VOTE not in caller.scopes:
        raise Forbidden(
            say(
                "This needs the scope '{vote}', which {role} does not have.",
                vote=VOTE,
                role=caller.role,
            )
        )
    key = _key(visitor.secret, poll, caller.user_id.bytes)
    return Voter(key, None if poll.anonymous else caller.user_id)


async def _token(tx: Work, poll: Poll, visitor: Visitor) -> Voter:
    digest = digest_of(visitor.token or "")
    if not await tx.one(votes.HAS_TOKEN, poll_id=poll.id, digest=digest):
        raise VotingTokenRefused
    return Voter(_key(visitor.secret, poll, digest))


def _browser(poll: Poll, visitor: Visitor) -> Voter:
    fresh = new_cookie(visitor)
    identity = _read_cookie(visitor.secret, fresh or visitor.cookie)
    assert identity is not None
    return Voter(_key(visitor.secret, poll, identity), None, fresh)


def new_cookie(visitor: Visitor) -> str:
    """An identity for a browser that has none; empty if it has."""
    if _read_cookie(visitor.secret, visitor.cookie) is not None:
        return ""
    return _sign(visitor.secret, secrets.token_bytes(_ID_BYTES))


def digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _key(secret: str, poll: Poll, identity: bytes) -> bytes:
    return hmac.digest(_derived(secret, "voter"), poll.id.bytes + identity, "sha256")


def _sign(secret: str, identity: bytes) -> str:
    signature = hmac.digest(_derived(secret, "cookie"), identity, "sha256")
    return base64.urlsafe_b64encode(identity + signature).decode()


def _read_cookie(secret: str, cookie: str | None) -> bytes | None:
    """Who the cookie says it is; None if we did not make it."""
    try:
        raw = base64.urlsafe_b64decode(cookie or "")
    except ValueError:
        return None
    identity = raw[:_ID_BYTES]
    signed = _sign(secret, identity).encode()
    return (
        identity if hmac.compare_digest(signed, (cookie or "").encode("utf-8", "replace")) else None
    )


@cache
def _derived(secret: str, purpose: str) -> bytes:
    return derive(secret, f"polls:{purpose}")
