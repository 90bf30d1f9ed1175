"""The blog out, in the formats that other blogs read."""

from collections.abc import Awaitable, Callable

from insula.archives.writing import ZipWriter
from insula.db import Work

from insula_tenants.blog.formats import FormatName, ghost, markdown, wordpress
from insula_tenants.blog.formats.items import Comment, Item
from insula_tenants.blog.queries import articles as queries
from insula_tenants.blog.queries import comments as comment_queries
from insula_tenants.blog.queries import people
from insula_tenants.blog.schemas import Article, Settings, Verdict

Write = Callable[[bytes], Awaitable[None]]
SUFFIXES: dict[FormatName, str] = {"wordpress": "xml", "ghost": "json", "markdown": "zip"}
MEDIA_TYPES: dict[FormatName, str] = {
    "wordpress": "application/xml",
    "ghost": "application/json",
    "markdown": "application/zip",
}


async def export(
    tx: Work,
    name: FormatName,
    settings: Settings,
    url: str,
    write: Write,
    progress: Callable[[], None] = lambda: None,
) -> int:
    """Write every article, as all of them stand at one moment; how many there were.

    WordPress gets comments too; Ghost's and Markdown's formats have no place for them. What was
    imported from the same format keeps the identity that it has there.
    """
    authors = {author.user_id: author for author in await tx.many(people.EXPORTED)}
    count = 0
    make = _maker(name, settings, url, list(authors.values()))
    await write(make.head())
    async for article in tx.stream(queries.EVERYTHING):
        author = authors.get(article.author_id)
        email = author.email if author is not None else ""
        comments: list[comment_queries.Exported] = []
        if name == "wordpress":
            comments = await tx.many(comment_queries.EXPORTED, article_id=article.id)
        item = _item(article, email, name, comments)
        count += 1
        await write(make.write(item, article, count))
        progress()
    await write(make.tail())
    return count


class _Wordpress:
    def __init__(self, settings: Settings, url: str, authors: list[people.Exported]) -> None:
        self._settings, self._url = settings, url
        self._authors = [(each.username, each.email, each.name) for each in authors]

    def head(self) -> bytes:
        return wordpress.head(self._settings.title, self._url, self._authors).encode()

    def write(self, item: Item, article: Article, number: int) -> bytes:
        return wordpress.write(item, article.html, number).encode()

    def tail(self) -> bytes:
        return wordpress.tail().encode()


class _Ghost:
    def __init__(self) -> None:
        self._writer = ghost.Writer()

    def head(self) -> bytes:
        return self._writer.head().encode()

    def write(self, item: Item, article: Article, number: int) -> bytes:
        return self._writer.write(item, article.html, number).encode()

    def tail(self) -> bytes:
        return self._writer.tail().encode()


class _Markdown:
    def __init__(self) -> None:
        self._zip = ZipWriter()

    def head(self) -> bytes:
        return b""

    def write(self, item: Item, article: Article, number: int) -> bytes:
        text = markdown.write(item)
        return self._zip.add(markdown.path_of(item), text, article.updated_at)

    def tail(self) -> bytes:
        return self._zip.finish()


def _maker(
    name: FormatName, settings: Settings, url: str, authors: list[people.Exported]
) -> _Wordpress | _Ghost | _Markdown:
    if name == "wordpress":
        return _Wordpress(settings, url, authors)
    return _Ghost() if name == "ghost" else _Markdown()


def _item(
    article: queries.Exported,
    email: str,
    name: FormatName,
    comments: list[comment_queries.Exported],
) -> Item:
    origin, _, source = (article.source or "").partition(":")
    return Item(
        source=source if origin == name else "",
        own_id=str(article.id),
        title=article.title,
        body=article.body,
        format=article.format,
        summary=article.summary,
        slug=article.slug,
        old_slugs=tuple(slug for slug in sorted(article.slugs) if slug != article.slug),
        tags=tuple(article.tags),
        status=article.status,
        published_at=article.published_at,
        unpublish_at=article.unpublish_at,
        created=article.created_at,
        updated=article.updated_at,
        email=email,
        author=article.author,
        comments_open=article.comments_open,
        cover_url=article.cover_url,
        meta_title=article.meta_title,
        meta_description=article.meta_description,
        canonical_url=article.canonical_url,
        custom=article.custom,
        comments=tuple(_comment(each) for each in comments),
    )


def _comment(row: comment_queries.Exported) -> Comment:
    status: Verdict = row.status if row.status != "deleted" else "rejected"
    return Comment(
        source=str(row.number),
        own_id=str(row.id),
        parent=str(row.parent or ""),
        name=row.author or "",
        email=row.email or "",
        body=row.body,
        status=status,
        created=row.created_at,
    )
