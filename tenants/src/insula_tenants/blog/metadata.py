"""What search engines and social networks read: Open Graph and schema.org."""

from typing import Any

import msgspec

from insula_tenants.blog.content import excerpt
from insula_tenants.blog.schemas import Article, Author, Metadata, Settings


class Site(msgspec.Struct, frozen=True):
    """The blog as the outside sees it."""

    settings: Settings
    origin: str
    """Where this server is reached."""

    @property
    def home(self) -> str:
        return self.settings.site_url or f"{self.origin}/api/v1/blog"

    def article(self, slug: str) -> str:
        """The address of an article, for readers."""
        if self.settings.site_url:
            return f"{self.settings.site_url.rstrip('/')}/{slug}"
        return f"{self.origin}/api/v1/blog/articles/by-slug/{slug}"

    def cover(self, article: Article) -> str:
        """Where an article's picture is; empty if it has none."""
        cover = article.cover or ""
        return f"{self.origin}{cover}" if cover.startswith("/") else cover


def describe(site: Site, article: Article, author: Author) -> Metadata:
    """Everything for the head of an article's page."""
    description = article.meta_description or article.summary or excerpt(article.html)
    url = article.canonical_url or site.article(article.slug)
    title = article.meta_title or article.title
    return Metadata(
        title=title,
        description=description,
        canonical_url=url,
        open_graph=_open_graph(site, article, author, title, description, url),
        json_ld=_json_ld(site, article, author, description, url),
    )


def _open_graph(
    site: Site, article: Article, author: Author, title: str, description: str, url: str
) -> dict[str, list[str]]:
    """https://ogp.me, with the properties of ``article``."""
    found: dict[str, list[str]] = {
        "og:type": ["article"],
        "og:title": [title],
        "og:description": [description],
        "og:url": [url],
        "og:site_name": [site.settings.title],
        "og:locale": [site.settings.language.replace("-", "_")],
        "article:author": [author.name],
        "article:modified_time": [article.updated_at.isoformat()],
    }
    if article.published_at is not None:
        found["article:published_time"] = [article.published_at.isoformat()]
    if cover := site.cover(article):
        found["og:image"] = [cover]
    if article.tags:
        found["article:tag"] = article.tags
    return found


def _json_ld(
    site: Site, article: Article, author: Author, description: str, url: str
) -> dict[str, Any]:
    """https://schema.org/BlogPosting"""
    found: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "BlogPosting",
        "@id": url,
        "url": url,
        "mainEntityOfPage": {"@type": "WebPage", "@id": url},
        "headline": article.title[:110],
        "description": description,
        "inLanguage": site.settings.language,
        "dateCreated": article.created_at.isoformat(),
        "dateModified": article.updated_at.isoformat(),
        "author": {"@type": "Person", "name": author.name, "alternateName": author.username},
        "publisher": {"@type": "Organization", "name": site.settings.title, "url": site.home},
        "wordCount": len(article.body.split()),
    }
    if article.published_at is not None:
        found["datePublished"] = article.published_at.isoformat()
    if cover := site.cover(article):
        found["image"] = [cover]
    if article.tags:
        found["keywords"] = article.tags
    return found
