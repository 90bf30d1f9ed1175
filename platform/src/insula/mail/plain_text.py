"""The plain text of a mail, from its HTML."""

import re
from html.parser import HTMLParser
from typing import Final

_BLOCKS: Final = frozenset(["p", "ul", "ol", "blockquote", "pre", "h1", "h2", "h3", "table", "hr"])
_MANY_BREAKS = re.compile(r"\n{3,}")


def to_text(html: str) -> str:
    """Paragraphs, lists and links as one writes them in plain text."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = "".join(reader.parts)
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _MANY_BREAKS.sub("\n\n", lines).strip() + "\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._lists: list[int | None] = []
        self._link = ""
        self._linked: list[str] = []
        self._is_pre = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS and not (tag == "p" and self._lists):
            self.parts.append("\n\n")
        if tag in ("ul", "ol"):
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            self.parts.append("\n" + self._bullet())
        elif tag == "a":
            self._link, self._linked = dict(attrs).get("href") or "", []
        elif tag in ("br", "tr"):
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append("  ")
        elif tag == "hr":
            self.parts.append("-" * 40 + "\n\n")
        self._is_pre = self._is_pre or tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        if tag == "a":
            label, link, self._link = "".join(self._linked), self._link, ""
            if link and link.removeprefix("mailto:") != label:
                self.parts.append(f": {link}" if label else link)
        if tag == "pre":
            self._is_pre = False
        if tag in _BLOCKS and not (tag == "p" and self._lists):
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        text = data if self._is_pre else re.sub(r"\s*\n\s*", " " if data.strip() else "", data)
        if self.parts and self.parts[-1].endswith("\n") and not self._is_pre:
            text = text.lstrip(" ")
        self.parts.append(text)
        if self._link:
            self._linked.append(text)

    def _bullet(self) -> str:
        depth = "  " * (len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is None:
            return f"{depth}- "
        self._lists[-1] = number + 1
        return f"{depth}{number}. "
