"""What a note refers to and contains: links, tags, tasks, its first heading.

Read from comrak's own output, so that code, links, escapes and nesting mean here what they mean in
the HTML, instead of from a second, approximate parser.
"""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote

import msgspec

from insula_tenants.notes.links import (
    TARGET_LIMIT,
    Link,
    LinkKind,
    embed_text,
    markdown_target,
    wikilink_target,
)
from insula_tenants.notes.tags import distinct, inline_tags

LINKS_LIMIT = 5_000
"""Links of one note; later ones are ignored."""
TEXT_LIMIT = 1_000
"""Characters kept of a link's or task's text, and of a heading's."""

_TOKEN = re.compile(r"<(/?)([a-z][a-z0-9]*)([^>]*)>")
_HREF = re.compile(r' href="([^"]*)"')
_LINE = re.compile(r'data-sourcepos="(\d+):')
_EMBED = re.compile(r"!\[\[([^\[\]|\n]+)(?:\|([^\[\]\n]*))?\]\]")
_NOT_NEWLINE = re.compile(r"[^\n]")
_CONTAINERS = {"blockquote", "li"}
_INLINE = {"em", "strong", "del", "mark", "br", "img"}
_OPAQUE = {"a", "code", "span", "sup"}
"""What is in them is no prose: no tag or embed is looked for."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a task list."""

    number: int
    """1 for the first task of the note."""
    line: int
    """1-based line of the body where its list item starts."""
    done: bool
    text: str


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a body that other things need to know, each in source order."""

    heading: str = ""
    """Text of the first heading of level 1."""
    tags: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    tasks: tuple[Task, ...] = ()


def outline(markup: str) -> Outline:
    """Read ``Rendering.markup``, which is comrak's and therefore well-formed."""
    reader = _Reader()
    position = 0
    for token in _TOKEN.finditer(markup):
        if token.start() > position:
            reader.text(markup[position : token.start()])
        position = token.end()
        if token[1]:
            reader.close(token[2])
        else:
            reader.open(token[2], token[3])
    reader.end_block()
    return reader.outline()


class _Reader:
    """Takes tags and text in order; what a block held is read when the block ends."""

    def __init__(self) -> None:
        self._heading = ""
        self._tags: list[str] = []
        self._links: list[Link] = []
        self._tasks: list[tuple[int, bool, str]] = []
        self._open_task: tuple[int, bool] | None = None
        self._containers = 0
        self._opaque = 0
        self._line = 1
        self._start_block()

    def _start_block(self) -> None:
        self._plain: list[str] = []
        self._prose: list[str] = []
        self._length = 0
        self._anchor: tuple[str, int, int] | None = None
        self._found: list[tuple[int, Link]] = []

    def text(self, text: str) -> None:
        """Text as it stands in the markup: entities are read where it is known to matter."""
        self._plain.append(text)
        self._prose.append(_NOT_NEWLINE.sub("\0", text) if self._opaque else text)
        self._length += len(text)

    def open(self, name: str, attributes: str) -> None:
        if name in _OPAQUE:
            self._open_opaque(name, attributes)
        elif name == "input":
            self._end_task("")
            self._open_task = (self._line, 'checked=""' in attributes)
        elif name not in _INLINE:
            self.end_block()
            self._containers += name in _CONTAINERS
            self._line = _line(attributes, self._line)

    def close(self, name: str) -> None:
        if name in _OPAQUE:
            self._close_opaque(name)
        elif name not in _INLINE:
            self.end_block(name)
            self._containers -= name in _CONTAINERS

    def _open_opaque(self, name: str, attributes: str) -> None:
        self._opaque += 1
        if name == "a":
            self._anchor = (attributes, self._length, len(self._plain))
        self.text("\0")

    def _close_opaque(self, name: str) -> None:
        self._opaque -= 1
        if name == "a" and self._anchor:
            attributes, position, start = self._anchor
            link = _read_link(attributes, _plain(self._plain[start:]), self._line)
            if link:
                self._found.append((position, link))
            self._anchor = None

    def end_block(self, closed: str = "") -> None:
        prose = "".join(self._prose)
        if "#" in prose:
            self._tags += inline_tags(unescape(prose))
        if "![[" in prose:
            self._found += _embeds(prose, self._line)
        self._links += [link for _, link in sorted(self._found, key=lambda found: found[0])]
        if closed == "h1" and not self._containers:
            self._heading = self._heading or _plain(self._plain)
        if self._open_task and (closed == "li" or prose.strip()):
            self._end_task(_plain(self._plain))
        self._start_block()

    def _end_task(self, text: str) -> None:
        if self._open_task:
            self._tasks.append((*self._open_task, text))
            self._open_task = None

    def outline(self) -> Outline:
        """Footnotes stand at the end of the markup: back to where they are in the source."""
        tasks = sorted(self._tasks, key=lambda task: task[0])
        links = sorted(self._links, key=lambda link: link.line)
        return Outline(
            heading=self._heading,
            tags=distinct(self._tags),
            links=tuple(links[:LINKS_LIMIT]),
            tasks=tuple(
                Task(number=number, line=line, done=done, text=text)
                for number, (line, done, text) in enumerate(tasks, 1)
            ),
        )


def _plain(pieces: list[str]) -> str:
    return " ".join(unescape("".join(pieces).replace("\0", "")).split())[:TEXT_LIMIT]


def _line(attributes: str, default: int) -> int:
    line = _LINE.search(attributes)
    return int(line[1]) if line else default


def _read_link(attributes: str, text: str, line: int) -> Link | None:
    found = _HREF.search(attributes)
    href = unescape(found[1]) if found else ""
    if "data-wikilink" in attributes:
        kind: LinkKind = "wikilink"
        target, heading = wikilink_target(unquote(href))
    elif markdown := markdown_target(href):
        kind = "markdown"
        target, heading = markdown
    else:
        return None
    return _link(kind, target, heading, text or target, _line(attributes, line))


def _embeds(prose: str, line: int) -> Iterator[tuple[int, Link]]:
    position = 0
    for embed in _EMBED.finditer(prose):
        line += prose.count("\n", position, embed.start())
        position = embed.start()
        target, heading = wikilink_target(unescape(embed[1]))
        link = _link("embed", target, heading, embed_text(target, unescape(embed[2] or "")), line)
        if link:
            yield position, link


def _link(kind: LinkKind, target: str, heading: str, text: str, line: int) -> Link | None:
    if not (target or heading) or len(target) > TARGET_LIMIT or "\0" in target:
        return None
    return Link(
        kind=kind,
        target=target,
        heading=heading[:TARGET_LIMIT],
        text=text[:TEXT_LIMIT],
        line=line,
    )
