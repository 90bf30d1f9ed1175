"""File names: what comes in is made harmless, what goes out is spelled so that browsers agree."""

import re
import unicodedata
from urllib.parse import quote, unquote_to_bytes

MAX_BYTES = 255
"""What every file system takes."""
FALLBACK = "file"

# Controls, and what turns the reading direction so that "exe.txt" is read where "txt.exe" stands.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # Persian and emoji need them
_RESERVED = re.compile(r'[<>:"|?*]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[^.\s]{1,16}$")
_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187, besides letters and digits
_PARAMETER = re.compile(
    r';\s*(?P<name>filename\*?)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^\s;"]+))',
    re.IGNORECASE | re.DOTALL,
)


def safe_name(name: str) -> str:
    """``name`` without path, controls and what some file system refuses, in NFC and at most 255
    bytes long; its extension is kept."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    seen = (c for c in name if c in _JOINERS or unicodedata.category(c) not in _UNSEEN)
    name = _RESERVED.sub("_", " ".join("".join(seen).split())).strip(". ")
    if _DEVICE.match(name):
        name = "_" + name
    return _shorten(name) or FALLBACK


def _shorten(name: str) -> str:
    if len(name.encode()) <= MAX_BYTES:
        return name
    match = _EXTENSION.search(name)
    extension = match[0] if match else ""
    room = MAX_BYTES - len(extension.encode())
    stem = name[: len(name) - len(extension)].encode()[:room].decode(errors="ignore")
    return stem.rstrip(". ") + extension


def content_disposition(kind: str, name: str) -> str:
    """``inline`` or ``attachment`` with the name (RFC 6266): in ASCII for whoever reads no
    more, and whole (RFC 8187) where that is not all of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^ -~]|[\"\\%]", "_", plain).strip() or FALLBACK
    header = f'{kind}; filename="{plain}"'
    if plain != name:
        header += f"; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"
    return header


def name_in(header: str) -> str | None:
    """The file name of a ``Content-Disposition``; the extended one, where both are there."""
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(header):
        quoted = match["quoted"]
        value = match["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        found.setdefault(match["name"].lower(), value)
    extended = _extended(found.get("filename*", ""))
    if extended is not None:
        return extended
    plain = found.get("filename")
    return None if plain is None else _as_utf8(plain)


def _extended(value: str) -> str | None:
    charset, _, rest = value.partition("'")
    if charset.lower() not in ("utf-8", "iso-8859-1") or "'" not in rest:
        return None
    try:
        return unquote_to_bytes(rest.partition("'")[2]).decode(charset)
    except UnicodeDecodeError:
        return None


def _as_utf8(value: str) -> str:
    """Headers are read as Latin-1; browsers write UTF-8 into them."""
    try:
        return value.encode("latin-1").decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return value
