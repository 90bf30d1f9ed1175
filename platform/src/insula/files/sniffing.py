"""What a file is, by its first bytes: what somebody says that it is may be meant to harm.

After https://mimesniff.spec.whatwg.org, cut down to the question that matters here: whether a
browser may show the file in our origin.
"""

import re
from collections.abc import Callable

HEAD = 1024
"""Bytes that are looked at; the standard's browsers look at 1445."""
BINARY = "application/octet-stream"
TEXT = "text/plain"

INLINE = frozenset(
    "image/png image/jpeg image/gif image/webp image/avif image/bmp audio/mpeg audio/ogg audio/wav "
    "audio/flac audio/mp4 video/mp4 video/webm video/ogg text/plain".split()
)
"""Types that run nothing. Everything else is for saving: HTML and SVG bring scripts, PDF viewers
differ in what they allow."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\0\0\1\0", "image/x-icon"),
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"PK\3\4", "application/zip"),
    (b"PK\5\6", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"OggS\0", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\0asm", "application/wasm"),
    (b"\x7fELF", "application/x-elf"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"mif1": "image/heif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
}
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_MARKUP = re.compile(
    rb"\s*+(?>(?><!--.*?-->|<\?xml.*?\?>)\s*)*+<(?:!doctype\s+|/?)"  # never goes back
    rb"(?P<root>html|head|body|script|iframe|h1|div|font|table|a|style|title|b|br|p|svg|math)?",
    re.IGNORECASE | re.DOTALL,
)
_ARCHIVES = re.compile(r".*(\+zip|openxmlformats|opendocument|java-archive|epub|ms-)")
_VIDEO_FAMILY = {"video/webm": ("video/x-matroska", "audio/webm"), "audio/ogg": ("video/ogg",)}


def media_type_of(head: bytes, declared: str) -> str:
    """The type to store: what the bytes are, and ``declared`` only where that says more of the
    same and cannot be mistaken for something that a browser runs."""
    found = _sniff(head)
    if found == BINARY:
        return declared if _is_opaque(declared) else BINARY
    if found == TEXT:
        return declared if _is_textual(declared) else TEXT
    if found == "application/zip" and _ARCHIVES.match(declared):
        return declared
    if declared in _VIDEO_FAMILY.get(found, ()):
        return declared
    return found


def _sniff(head: bytes) -> str:
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head.startswith(b"RIFF") and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    return _sniff_text(head)


def _sniff_text(head: bytes) -> str:
    if head.startswith((b"\xfe\xff", b"\xff\xfe")):
        return TEXT
    if _CONTROL.search(head):
        return BINARY
    head = head.removeprefix(b"\xef\xbb\xbf")
    match = _MARKUP.match(head)
    if match is None:
        return TEXT
    root = (match["root"] or b"").lower()
    if root == b"svg":
        return "image/svg+xml"
    if root:
        return "text/html"
    return "text/xml" if head.lstrip().startswith(b"<?xml") else TEXT


def _is_textual(declared: str) -> bool:
    """Types that text can be. Those that a browser runs are among them: stored under their own
    name they are never shown (:data:`INLINE`)."""
    return declared.startswith("text/") or declared in _TEXTUAL or _ends(declared, "+json", "+xml")


_TEXTUAL = frozenset(
    "application/json application/xml application/javascript application/x-ndjson application/yaml "
    "application/toml application/sql application/x-sh message/rfc822 image/svg+xml".split()
)


def _is_opaque(declared: str) -> bool:
    """Types without a signature of their own that bytes without one may be."""
    if declared in INLINE or declared.startswith("text/"):
        return False
    return not _is_textual(declared)


def _ends(text: str, *endings: str) -> bool:
    return text.endswith(endings)


Inspection = Callable[[bytes], str | None]
"""Looks at a file's first bytes; says what is wrong with it, or None."""

_EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def is_eicar(head: bytes) -> str | None:
    """The file by which virus scanners are tested (https://www.eicar.org): where this is refused,
    the hook works; a real scanner is another :data:`Inspection`."""
    return "This is the EICAR test file." if head.startswith(_EICAR) else None


INSPECTIONS: tuple[Inspection, ...] = (is_eicar,)
