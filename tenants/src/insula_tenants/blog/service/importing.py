"""Other blogs in: batch by batch, each batch a transaction of its own.

An item that is there already (by its source, or its own id) is brought up to date, if it differs;
so an import that was interrupted is finished by running it again. Readers are not told: an import
is no news.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg
from insula.db import Work
from insula.db.ids import new_id
from insula.http.problem import Problem
from insula.identity.emails import normalise

from insula_tenants.blog.content import render, slug_of, tags_of
from insula_tenants.blog.formats.items import Comment, Entry, Item, Refused, Skipped
from insula_tenants.blog.queries import articles as queries
from insula_tenants.blog.queries import comments as comment_queries
from insula_tenants.blog.queries import people
from insula_tenants.blog.schemas import ImportReport, ItemReport
from insula_tenants.blog.service import articles as service
from insula_tenants.blog.service.comments import MAX_DEPTH
from insula_tenants.blog.service.people import ensure_author
from insula_tenants.blog.service.publishing import plan

BATCH = 25
Transaction = Callable[[], AbstractAsyncContextManager[Work]]
"""Opens a transaction bound to the tenant."""
_FIELDS = (
    "title", "body", "format", "summary", "comments_open", "cover_url", "meta_title",
    "meta_description", "canonical_url", "custom",
)  # fmt: skip


class _Undone(Exception):
    """Ends the transaction of a batch that was only tried."""


async def import_entries(
    transaction: Transaction, entries: Iterator[Entry], author_id: UUID, *, dry: bool
) -> AsyncIterator[list[ItemReport]]:
    """Import what a source holds; the reports of each batch once it is committed.

    Raises:
        FormatError: the source turned out to be unreadable; earlier batches stay.
    """
    # Reading is work under the interpreter's lock, but from a disk: a thread keeps the loop free.
    while batch := await asyncio.to_thread(_take, entries):
        reports: list[ItemReport] = []
        try:
            async with transaction() as tx:
                await ensure_author(tx, author_id)
                reports = await _import_batch(tx, batch, author_id)
                if dry:
                    raise _Undone
        except _Undone:
            reports = [_tried(report) for report in reports]
        yield reports


def _take(entries: Iterator[Entry]) -> list[Entry]:
    return list(islice(entries, BATCH))


def _tried(report: ItemReport) -> ItemReport:
    """Without the id of what was made and is gone again."""
    if report.outcome == "created":
        report.article_id = None
    return report


async def _import_batch(tx: Work, batch: list[Entry], author_id: UUID) -> list[ItemReport]:
    sources = [entry.source for entry in batch if isinstance(entry, Item)]
    known = {s.source: s.id for s in await tx.many(queries.FIND_SOURCES, sources=sources)}
    own = {entry.source: entry.own_id for entry in batch if isinstance(entry, Item)}
    ids = {str(each): each for each in await tx.many(queries.KNOWN_IDS, ids=_uuids(own.values()))}
    known = {source: ids[own_id] for source, own_id in own.items() if own_id in ids} | known
    return [await _import_entry(tx, entry, known, author_id) for entry in batch]


def _uuids(texts: Iterable[str]) -> list[UUID]:
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(UUID(text))
    return found


async def _import_entry(
    tx: Work, entry: Entry, known: dict[str, UUID], author_id: UUID
) -> ItemReport:
    if isinstance(entry, Skipped):
        return ItemReport(entry.source, entry.title, "skipped", reason=entry.reason)
    if isinstance(entry, Refused):
        return ItemReport(entry.source, entry.title, "failed", reason=entry.reason)
    try:
        async with tx.savepoint():
            return await _import_item(tx, entry, known.get(entry.source), author_id)
    except (Problem, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        reason = error.detail or error.title if isinstance(error, Problem) else "cannot be stored"
        return ItemReport(entry.source, entry.title, "failed", reason=str(reason))


async def _import_item(tx: Work, item: Item, article_id: UUID | None, importer: UUID) -> ItemReport:
    warnings = list(item.warnings)
    if article_id is None:
        article_id = await _create(tx, item, importer, warnings)
        outcome: Any = "created"
    else:
        outcome = await _update(tx, item, article_id, importer)
    count = await _import_comments(tx, item, article_id)
    if count and outcome == "unchanged":
        outcome = "updated"
    return ItemReport(item.source, item.title, outcome, article_id, count, warnings=tuple(warnings))


async def _create(tx: Work, item: Item, importer: UUID, warnings: list[str]) -> UUID:
    author_id = await _author(tx, item.email)
    if author_id is None and item.author:
        warnings.append(f"its author {item.author!r} has no account here: it is yours now")
    status = item.status
    if status == "scheduled" and item.published_at and item.published_at <= datetime.now(UTC):
        status = "published"
    fields = {name: getattr(item, name) for name in _FIELDS} | {
        "tags": list(item.tags),
        "source": item.source,
        "status": status,
        "published_at": item.published_at,
        "unpublish_at": item.unpublish_at,
        "created": item.created,
        "updated": item.updated,
    }
    slug = slug_of(item.slug) if item.slug else None
    article = await service.insert(tx, fields, author_id or importer, slug=slug)
    if slug is not None and article.slug != slug:
        warnings.append(f"its slug {slug!r} was taken: it is {article.slug!r} now")
    for old in dict.fromkeys(slug_of(old) for old in item.old_slugs[:100] if old):
        if await tx.find(queries.OWN_SLUG, slug=old) is None:
            await tx.execute(queries.KEEP_SLUG, slug=old, article_id=article.id)
    await plan(tx, article, importer)
    return article.id


async def _author(tx: Work, email: str) -> UUID | None:
    if not email:
        return None
    user_id = await tx.find(people.BY_EMAIL, email=normalise(email[:254], strict=False))
    return None if user_id is None else await ensure_author(tx, user_id)


async def _update(tx: Work, item: Item, article_id: UUID, importer: UUID) -> str:
    """What it says is brought up to date; whether it is public stays as it is here."""
    stored = await tx.one(queries.LOCK, id=article_id)
    article = await tx.one(queries.GET, id=article_id)
    wanted = {name: getattr(item, name) for name in _FIELDS} | {"tags": tags_of(list(item.tags))}
    given = {name: value for name, value in wanted.items() if value != getattr(article, name)}
    if not given:
        return "unchanged"
    await service.apply(tx, stored, given, importer)
    return "updated"


async def _import_comments(tx: Work, item: Item, article_id: UUID) -> int:
    sources = [comment.source for comment in item.comments]
    if not sources:
        return 0
    found = await tx.many(comment_queries.FIND_SOURCES, sources=sources)
    own = {comment.own_id: comment.source for comment in item.comments if comment.own_id}
    known = await tx.many(comment_queries.KNOWN_IDS, ids=_uuids(own), article_id=article_id)
    ids = {own[str(each)]: each for each in known if str(each) in own}
    ids |= {source.source: source.id for source in found}
    depths: dict[str, int] = {}
    new = 0
    for comment in _parents_first(item.comments):
        depths[comment.source] = min(depths.get(comment.parent, -1) + 1, MAX_DEPTH)
        if comment.source in ids:
            continue
        author_id = await _author(tx, comment.email)
        made = await tx.one(
            comment_queries.INSERT,
            id=new_id(),
            article_id=article_id,
            parent_id=ids.get(comment.parent),
            depth=depths[comment.source],
            author_id=author_id,
            guest=None if author_id else comment.name or "Anonymous",
            body=comment.body,
            html=render(comment.body, "markdown"),
            status=comment.status,
            source=comment.source[:1000],
            created=comment.created,
        )
        ids[comment.source] = made.id
        new += 1
    return new


def _parents_first(comments: tuple[Comment, ...]) -> list[Comment]:
    """Whatever their order in the file, and whatever circles are in it."""
    by_source = {comment.source: comment for comment in comments}
    ordered: dict[str, Comment] = {}
    for comment in by_source.values():
        chain = []
        current: Comment | None = comment
        while current is not None and current.source not in ordered and current not in chain:
            chain.append(current)
            current = by_source.get(current.parent)
        ordered |= {each.source: each for each in reversed(chain)}
    return list(ordered.values())


def summarise(reports: list[ItemReport], *, dry: bool) -> ImportReport:
    """Counts, and every item."""
    outcomes = [report.outcome for report in reports]
    return ImportReport(
        dry=dry,
        created=outcomes.count("created"),
        updated=outcomes.count("updated"),
        unchanged=outcomes.count("unchanged"),
        skipped=outcomes.count("skipped"),
        failed=outcomes.count("failed"),
        items=reports,
    )
