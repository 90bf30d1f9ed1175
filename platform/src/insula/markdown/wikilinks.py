"""Links to other documents as Obsidian and Markdown write them."""

import re
from urllib.parse import unquote

MARKDOWN_SUFFIX = re.compile(r"\.(?:md|markdown)$", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


def wikilink_target(inner: str) -> tuple[str, str]:
    """Target and heading of what stands in ``[[…]]`` before the bar."""
    target, _, heading = inner.partition("#")
    return target.strip(), heading.strip()


def markdown_target(href: str) -> tuple[str, str] | None:
    """Target and heading of a relative Markdown link to a Markdown file; None for any other."""
    path, _, heading = href.partition("#")
    path = unquote(path)
    if _SCHEME.match(path) or not MARKDOWN_SUFFIX.search(path):
        return None
    return path, unquote(heading)


def embed_text(target: str, label: str) -> str:
    """What stands for ``![[target|label]]``; a label of digits is the width of an image."""
    return label.strip() if label.strip(" 0123456789x") else target
