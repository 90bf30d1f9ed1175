"""Pictures in a note's HTML: a relative address means the attachment of that name.

Stored HTML says what the text says; the address is written in when the note is read, since only
then it is known by which way the reader has come: with a token, or by a shared link.
"""

import re
from html import escape, unescape
from urllib.parse import quote, unquote

_IMAGE = re.compile(r'(<img src=")(?![a-z][a-z0-9+.-]*:|/|#)([^"?#]+)(?:[?#][^"]*)?(")', re.I)
# What `![[roof.png]]` is rendered to.
_EMBED = re.compile(
    r'<a class="wikilink embed" data-note="([^"]+\.(?:png|jpe?g|gif|webp|avif))"[^>]*>([^<]*)</a>',
    re.IGNORECASE,
)


def with_pictures(html: str, folder: str) -> str:
    """The sanitised ``html`` with its relative images below the address ``folder``."""
    if "<img" not in html and "wikilink embed" not in html:
        return html

    def image(found: re.Match[str]) -> str:
        return f"{found[1]}{_address(folder, unquote(unescape(found[2])))}{found[3]}"

    def embed(found: re.Match[str]) -> str:
        return f'<img src="{_address(folder, unescape(found[1]))}" alt="{found[2]}">'

    return _EMBED.sub(embed, _IMAGE.sub(image, html))


def _address(folder: str, path: str) -> str:
    """Folders do not matter: a note's attachments lie in none."""
    return escape(f"{folder}/{quote(path.rpartition('/')[2], safe='')}")
