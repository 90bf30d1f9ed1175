"""Tags: Obsidian's grammar in the text, any short name in front matter and through the API."""

import re
from collections.abc import Iterable
from unicodedata import category, normalize

TAG_LIMIT = 100
"""Characters of a tag; what is longer is not one."""
TAGS_LIMIT = 500
"""Tags of one note; later ones are ignored."""

_NO_TAG_CHARACTERS = (
    r"\s\x00-\x1f!-,.:-@\[-^`{-\x7f"  # ASCII punctuation other than - / _
    "\u2000-\u200b\u200e-\u206f\u2e00-\u2e7f\u3000-\u303f\uff01-\uff0f\uff1a-\uff20"
)
_INLINE_TAG = re.compile(rf"(?<!\S)#([^{_NO_TAG_CHARACTERS}]+)")


def inline_tags(prose: str) -> list[str]:
    """The ``#tags`` of running text, in order: after white space, not digits alone."""
    found = (_nested(match[1]) for match in _INLINE_TAG.finditer(prose))
    return [tag for tag in found if tag]


def _nested(written: str) -> str:
    """``a//b/`` is ``a/b``; empty where it is no tag."""
    tag = "/".join(part for part in written.split("/") if part)
    named = any(not character.isdigit() for character in tag)
    worded = any(character not in "-_/" for character in tag)
    return normalize("NFC", tag) if named and worded and len(tag) <= TAG_LIMIT else ""


def clean_tag(written: str) -> str:
    """A tag from a list: without a leading ``#``, spaces made single; empty where none is left."""
    tag = " ".join(normalize("NFC", written).split()).removeprefix("#").strip()
    hostile = any(category(character) in {"Cc", "Cs"} for character in tag)
    return "" if hostile or len(tag) > TAG_LIMIT else tag


def tag_key(tag: str) -> str:
    """Tags of the same key are the same tag: case makes no difference."""
    return normalize("NFC", tag.casefold())


def distinct(tags: Iterable[str]) -> tuple[str, ...]:
    """Every tag once, as it was first written."""
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(tag_key(tag), tag)
    return tuple(first.values())[:TAGS_LIMIT]
