"""Atom (RFC 4287), JSON Feed 1.1 and the sitemap protocol."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from xml.etree import ElementTree

import msgspec

from insula_tenants.blog.metadata import Site
from insula_tenants.blog.schemas import Article, ArticleLine

_ATOM = "http://www.w3.org/2005/Atom"
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FeedAuthor(msgspec.Struct):
    name: str


class FeedItem(msgspec.Struct, omit_defaults=True):
    id: str
    url: str
    title: str
    content_html: str
    date_published: datetime
    date_modified: datetime
    authors: list[FeedAuthor]
    language: str
    summary: str = ""
    image: str = ""
    tags: list[str] = []


class JsonFeed(msgspec.Struct):
    """https://jsonfeed.org/version/1.1"""

    version: str
    title: str
    home_page_url: str
    feed_url: str
    description: str
    language: str
    items: list[FeedItem]


Names = Mapping[str, str]
"""What authors are called, by username."""


def json_feed(site: Site, url: str, articles: list[Article], names: Names) -> JsonFeed:
    return JsonFeed(
        version="https://jsonfeed.org/version/1.1",
        title=site.settings.title,
        home_page_url=site.home,
        feed_url=url,
        description=site.settings.description,
        language=site.settings.language,
        items=[_item(site, article, names) for article in articles],
    )


def _item(site: Site, article: Article, names: Names) -> FeedItem:
    return FeedItem(
        id=f"urn:uuid:{article.id}",
        url=site.article(article.slug),
        title=article.title,
        content_html=article.html,
        summary=article.summary,
        image=site.cover(article),
        date_published=article.published_at or article.created_at,
        date_modified=article.updated_at,
        authors=[FeedAuthor(names.get(article.author, article.author))],
        tags=article.tags,
        language=site.settings.language,
    )


def atom(site: Site, url: str, articles: list[Article], names: Names) -> bytes:
    feed = ElementTree.Element("feed", {"xmlns": _ATOM, f"{_XML}lang": site.settings.language})
    _add(feed, "title", site.settings.title)
    if site.settings.description:
        _add(feed, "subtitle", site.settings.description)
    _add(feed, "id", url)
    _add(feed, "updated", _time(max((a.updated_at for a in articles), default=_EPOCH)))
    _add(feed, "link", rel="self", type="application/atom+xml", href=url)
    _add(feed, "link", rel="alternate", href=site.home)
    _add(feed, "generator", "Insula")
    for article in articles:
        _entry(feed, site, article, names)
    return _document(feed)


def _entry(feed: ElementTree.Element, site: Site, article: Article, names: Names) -> None:
    entry = _add(feed, "entry")
    _add(entry, "title", article.title)
    _add(entry, "id", f"urn:uuid:{article.id}")
    _add(entry, "link", rel="alternate", type="text/html", href=site.article(article.slug))
    _add(entry, "published", _time(article.published_at or article.created_at))
    _add(entry, "updated", _time(article.updated_at))
    _add(_add(entry, "author"), "name", names.get(article.author, article.author))
    for tag in article.tags:
        _add(entry, "category", term=tag)
    if article.summary:
        _add(entry, "summary", article.summary)
    _add(entry, "content", article.html, type="html")


def sitemap(site: Site, articles: list[ArticleLine]) -> bytes:
    urls = ElementTree.Element("urlset", {"xmlns": _SITEMAP})
    for article in articles:
        url = _add(urls, "url")
        _add(url, "loc", site.article(article.slug))
        _add(url, "lastmod", _time(article.updated_at))
    return _document(urls)


def _add(
    parent: ElementTree.Element, name: str, text: str = "", **attributes: str
) -> ElementTree.Element:
    legal = {key: xml_text(value) for key, value in attributes.items()}
    element = ElementTree.SubElement(parent, name, legal)
    element.text = xml_text(text) or None
    return element


def xml_text(text: str) -> str:
    """What XML 1.0 can carry of a text; escaping is the serialiser's."""
    return _ILLEGAL.sub("", text)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _document(root: ElementTree.Element) -> bytes:
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document
