"""Which language a reader gets (RFC 9110, section 12.5.4; RFC 4647, section 3.4: lookup)."""

import functools
import re

from insula.i18n.catalogues import LANGUAGES, SOURCE

_RANGE = re.compile(r"(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)(?:\s*;\s*q=([01](?:\.\d{0,3})?))?", re.I)
_MOST = 32
"""Ranges that are looked at; browsers send a handful."""


@functools.lru_cache(maxsize=1024)
def negotiate(header: str, fallback: str = SOURCE) -> str:
    """The best language that ``Accept-Language`` asks for, else ``fallback``.

    What cannot be read of the header is passed over: a language is never worth a refusal.
    """
    for wanted in _in_order(header):
        if wanted == "*":
            return fallback
        if (found := lookup(wanted)) is not None:
            return found
    return fallback


def lookup(tag: str) -> str | None:
    """The language for a range: itself, or what remains as its last parts are taken off."""
    parts = tag.lower().split("-")
    while parts:
        candidate = "-".join(parts)
        if candidate in LANGUAGES:
            return candidate
        parts.pop()
        if parts and len(parts[-1]) == 1:  # an extension's singleton goes with what it introduced
            parts.pop()
    return None


def _in_order(header: str) -> list[str]:
    """Ranges by falling quality; among equals the first comes first. Those of quality 0 are not
    wanted."""
    found: list[tuple[float, str]] = []
    for part in header.split(",")[:_MOST]:
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            continue
        quality = float(match[2]) if match[2] else 1.0
        if 0 < quality <= 1:
            found.append((quality, match[1].lower()))
    return [wanted for _, wanted in sorted(found, key=lambda pair: -pair[0])]
