"""Logging in, staying logged in, logging out.

Every way of proving who one is ends in :func:`start`: passwords now; one-time codes, passkeys and
OAuth providers join with a ``method`` of their own.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from insula.db import Work
from insula.db.ids import new_id
from insula.identity import passwords, queries
from insula.identity.emails import normalise
from insula.identity.errors import InvalidCredentials, RefreshRejected
from insula.identity.revocations import Revocations
from insula.identity.schemas import Credentials, Tokens
from insula.identity.tokens import AccessTokens

_WAITING_CONNECTED = 2
"""Hashes that may be in line before one whose request holds a database connection meanwhile."""


class Device(msgspec.Struct, frozen=True):
    """Where a login comes from, for the user's list of sessions."""

    user_agent: str
    address: str


class Sessions:
    """Starts, refreshes and ends sessions."""

    def __init__(
        self,
        tokens: AccessTokens,
        revocations: Revocations,
        *,
        refresh_seconds: int,
        lasting_seconds: int,
    ) -> None:
        self._tokens = tokens
        self._revocations = revocations
        self._life = timedelta(seconds=refresh_seconds)
        self._lasting = lasting_seconds

    async def log_in(
        self,
        tx: Work,
        tenant_id: UUID,
        credentials: Credentials,
        device: Device,
        *,
        lasting: bool = False,
    ) -> Tokens:
        """Check a password and start a session.

        Raises:
            InvalidCredentials: after the same time, whatever was wrong.
        """
        email = normalise(credentials.email, strict=False)
        login = await tx.peek(queries.FIND_LOGIN, email=email)
        stored = login.password_hash if login is not None else None
        # With an Idempotency-Key the transaction has begun: who holds a connection may not wait in
        # line, or a few who guess passwords leave none for anybody else.
        waiting = _WAITING_CONNECTED if tx.is_open else passwords.WAITING
        genuine = await passwords.verify(credentials.password, stored, waiting=waiting)
        if not genuine or login is None:
            raise InvalidCredentials
        # Hashing takes long enough to be disabled or demoted meanwhile.
        current = await tx.find(queries.LOCK_LOGIN, id=login.id)
        if current is None or current.status != "active" or current.password_hash != stored:
            raise InvalidCredentials
        return await self.start(
            tx,
            tenant_id=tenant_id,
            user_id=current.id,
            role=current.role,
            method="password",
            device=device,
            lasting=lasting,
        )

    async def start(
        self,
        tx: Work,
        *,
        tenant_id: UUID,
        user_id: UUID,
        role: str,
        method: str,
        device: Device,
        lasting: bool = False,
    ) -> Tokens:
        """A new session for a user who has proved who they are. ``lasting`` is for clients that
        cannot refresh: the one access token that they get lives for days."""
        session_id, refresh_token = new_id(), secrets.token_urlsafe(32)
        locale = await tx.one(
            queries.START_SESSION,
            id=session_id,
            user_id=user_id,
            method=method,
            user_agent=device.user_agent[:300],
            address=device.address,
            expires_at=datetime.now(UTC) + self._life,
            digest=_digest(refresh_token),
        )
        seconds = self._lasting if lasting else self._tokens.seconds
        access_token = self._tokens.issue(
            user_id=user_id,
            tenant_id=tenant_id,
            session_id=session_id,
            role=role,
            locale=locale,
            seconds=seconds,
        )
        return Tokens(access_token, refresh_token, seconds)

    async def refresh(self, tx: Work, tenant_id: UUID, token: str) -> Tokens:
        """Spend a refresh token for its one successor.

        The row is locked, so that of any number of simultaneous requests one wins and the others
        count as reuse, which ends the session (RFC 9700, section 4.14.2). So is the user's: a
        token with a role that is being taken away would outlive the voiding of the older ones.

        Raises:
            RefreshRejected: see there.
        """
        digest = _digest(token)
        found = await tx.find(queries.LOCK_REFRESH, digest=digest)
        if found is None:
            raise RefreshRejected
        if found.used_at is not None:
            await self._punish_reuse(tx, found)
            raise RefreshRejected
        expired = found.expires_at <= datetime.now(UTC)
        if found.revoked_at is not None or expired or found.status != "active":
            raise RefreshRejected
        await tx.execute(queries.SPEND_REFRESH, spent=digest)
        await tx.execute(queries.TOUCH_SESSION, touched=found.session_id)
        successor = secrets.token_urlsafe(32)
        locale = await tx.one(
            queries.INSERT_REFRESH, digest=_digest(successor), session_id=found.session_id
        )
        access_token = self._tokens.issue(
            user_id=found.user_id,
            tenant_id=tenant_id,
            session_id=found.session_id,
            role=found.role,
            locale=locale,
        )
        return Tokens(access_token, successor, self._tokens.seconds)

    async def _punish_reuse(self, tx: Work, found: queries.Refresh) -> None:
        if found.revoked_at is None:
            await self.end(tx, found.session_id, reason="refresh token reused")
            tx.keep()  # the answer is an error, the revocation must stand

    async def end(self, tx: Work, session_id: UUID, *, reason: str = "signed out") -> None:
        """End one session; its tokens are void at once."""
        await self._revocations.end_session(session_id)
        await tx.execute(queries.REVOKE_SESSION, revoked=session_id, reason=reason)

    async def end_others(self, tx: Work, user_id: UUID, kept: UUID, *, reason: str) -> None:
        """End every session of a user but one."""
        ended = await tx.many(queries.REVOKE_OTHERS, owner=user_id, kept=kept, reason=reason)
        for session_id in ended:
            await self._revocations.end_session(session_id)

    async def end_all(self, tx: Work, user_id: UUID, *, reason: str) -> None:
        """End every session of a user."""
        await self._revocations.void_tokens(user_id)
        await tx.execute(queries.REVOKE_SESSIONS_OF, owner=user_id, reason=reason)

    async def refresh_rights(self, user_id: UUID) -> None:
        """Make a user's clients fetch new access tokens, since what they may do has changed."""
        await self._revocations.void_tokens(user_id)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
