"""An article as a page, for browsers that come to the API's own address."""

from html import escape

import msgspec

from insula_tenants.blog.schemas import Article, Author, Metadata

POLICY = (
    "default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_STYLE = (
    "body{max-width:42rem;margin:2rem auto;padding:0 1rem;font:1.05rem/1.6 system-ui,sans-serif}"
    "img{max-width:100%}pre{overflow-x:auto}.by{color:#666}"
)


def render(article: Article, author: Author, metadata: Metadata, language: str) -> str:
    """The page; the article's HTML is safe already."""
    date = article.published_at.date().isoformat() if article.published_at else "draft"
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{head(metadata)}<style>{_STYLE}</style>\n</head>\n<body>\n<article>\n"
        f"<h1>{escape(article.title)}</h1>\n"
        f'<p class="by">{escape(author.name)} · {date}</p>\n{article.html}\n</article>\n'
        "</body>\n</html>\n"
    )


def head(metadata: Metadata) -> str:
    """Title, description, Open Graph and JSON-LD as elements."""
    lines = [
        f"<title>{escape(metadata.title)}</title>",
        f'<meta name="description" content="{escape(metadata.description)}">',
        f'<link rel="canonical" href="{escape(metadata.canonical_url)}">',
        *(
            f'<meta property="{escape(name)}" content="{escape(value)}">'
            for name, values in metadata.open_graph.items()
            for value in values
        ),
        # "<" would end the element, or begin a comment in which its end is not seen
        '<script type="application/ld+json">'
        + msgspec.json.encode(metadata.json_ld).decode().replace("<", "\\u003c")
        + "</script>",
    ]
    return "".join(f"{line}\n" for line in lines)
