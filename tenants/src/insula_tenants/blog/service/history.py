"""Revisions of articles, and links to drafts."""

import hashlib
import secrets
from uuid import UUID

from insula.db import RowNotFound, Work
from insula.http.exchange import Caller
from insula.markdown.diff import TextDiff, diff_texts

from insula_tenants.blog.queries import articles as queries
from insula_tenants.blog.schemas import Article, Revision, RevisionLine
from insula_tenants.blog.service.articles import apply, lock, may_edit


async def _check(tx: Work, article_id: UUID, caller: Caller) -> None:
    """History is for those who may edit.

    Raises:
        RowNotFound: to everybody else there is none.
    """
    article = await tx.one(queries.GET, id=article_id)
    if not may_edit(article, caller):
        raise RowNotFound


async def list_revisions(tx: Work, article_id: UUID, caller: Caller) -> list[RevisionLine]:
    await _check(tx, article_id, caller)
    return await tx.many(queries.LIST_REVISIONS, id=article_id)


async def get_revision(tx: Work, article_id: UUID, revision: int, caller: Caller) -> Revision:
    await _check(tx, article_id, caller)
    return await tx.one(queries.GET_REVISION, id=article_id, revision=revision)


async def compare(tx: Work, article_id: UUID, older: int, newer: int, caller: Caller) -> TextDiff:
    """What changed in the text between two revisions."""
    await _check(tx, article_id, caller)
    before = await tx.one(queries.GET_REVISION, id=article_id, revision=older)
    after = await tx.one(queries.GET_REVISION, id=article_id, revision=newer)
    return diff_texts(before.body, after.body)


async def restore(
    tx: Work, article_id: UUID, revision: int, caller: Caller, if_match: str | None
) -> Article:
    """Make an old revision the newest one; what lay between stays in the history."""
    stored = await lock(tx, article_id, caller, if_match)
    old = await tx.one(queries.GET_REVISION, id=article_id, revision=revision)
    given = {
        "title": old.title, "summary": old.summary, "body": old.body, "format": old.format,
        "tags": old.tags,
    }  # fmt: skip
    return await apply(tx, stored, given, caller.user_id)


async def open_preview(tx: Work, article_id: UUID, caller: Caller) -> str:
    """A token by which anybody can read the draft; an earlier one stops working."""
    await lock(tx, article_id, caller, None)
    token = secrets.token_urlsafe(24)
    await tx.execute(queries.SET_PREVIEW, article_id=article_id, digest=_digest(token))
    return token


async def close_preview(tx: Work, article_id: UUID, caller: Caller) -> None:
    await lock(tx, article_id, caller, None)
    await tx.execute(queries.SET_PREVIEW, article_id=article_id, digest=None)


async def read_preview(tx: Work, token: str) -> Article:
    return await tx.one(queries.FIND_PREVIEW, digest=_digest(token))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
