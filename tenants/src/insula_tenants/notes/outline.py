"""What a note refers to and contains: links, tags, tasks, its first heading.

Read from comrak's own output, so that code, links, escapes and nesting mean here what they mean in
the HTML, instead of from a second, approximate parser.
"""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote

import msgspec
from insula.markdown.tags import distinct, inline_tags
from insula.markdown.wikilinks import embed_text, markdown_target, wikilink_target

from insula_tenants.notes.links import TARGET_LIMIT, Link, LinkKind

LINKS_LIMIT = 5_000
"""Links of one note; later ones are ignored."""
TEXT_LIMIT = 1_000
"""Characters kept of a link's or task's text, and of a heading's."""

_BLOCK = re.compile(
    r"<(/?)(p|h[1-6]|li|ul|ol|blockquote|pre|table|thead|tbody|tr|th|td|div|section|hr)\b([^>]*)>"
)
_INLINE = re.compile(r"<(/?)(a|code|span|sup)\b([^>]*)>|<[^>]*>")
_HREF = re.compile(r' href="([^"]*)"')
_LINE = re.compile(r'data-sourcepos="(\d+):')
_EMBED = re.compile(r"!\[\[([^\[\]|\n]+)(?:\|([^\[\]\n]*))?\]\]")
_NOT_NEWLINE = re.compile(r"[^\n]")
_CHECKBOX = "<input "
_CONTAINERS = {"blockquote", "li"}


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
    for tag in _BLOCK.finditer(markup):
        reader.block(markup[position : tag.start()], tag)
        position = tag.end()
    return reader.outline()


class _Reader:
    """Takes block after block, in order, and reads what is in those that hold anything."""

    def __init__(self) -> None:
        self._heading = ""
        self._tags: list[str] = []
        self._links: list[Link] = []
        self._tasks: list[tuple[int, bool, str]] = []
        self._task: tuple[int, bool] | None = None
        self._containers = 0
        self._line = 1

    def block(self, inline: str, tag: re.Match[str]) -> None:
        """What stands before a block's tag, then the tag."""
        closes, name = tag[1] == "/", tag[2]
        if inline.startswith(_CHECKBOX):
            self._end_task("")
            self._task = (self._line, 'checked=""' in inline.partition(">")[0])
        title = closes and name == "h1" and not self._containers and not self._heading
        if title or self._task or "#" in inline or "[[" in inline or "<a " in inline:
            self._read(inline, title=title)
        if closes:
            if name == "li":
                self._end_task("")
            self._containers -= name in _CONTAINERS
        else:
            self._containers += name in _CONTAINERS
            self._line = _line(tag[3], self._line)

    def _read(self, inline: str, *, title: bool) -> None:
        text = _InlineText(inline, self._line)
        self._tags += inline_tags(unescape(text.prose)) if "#" in text.prose else []
        found = [*text.links, *_embeds(text.prose, self._line)]
        self._links += [link for _, link in sorted(found, key=lambda place: place[0])]
        if title:
            self._heading = _plain(text.plain)
        if self._task and text.plain.strip():
            self._end_task(_plain(text.plain))

    def _end_task(self, text: str) -> None:
        if self._task:
            self._tasks.append((*self._task, text))
            self._task = None

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


class _InlineText:
    """The text of a paragraph, cell, heading …: all of it, and its prose.

    In the prose, code, links, mathematics and escaped characters are blanked: no tag is in them.
    Both are still escaped, and of the same length, so that links keep their place among embeds.
    """

    def __init__(self, inline: str, line: int) -> None:
        self.links: list[tuple[int, Link]] = []
        self._line = line
        self._plain: list[str] = []
        self._prose: list[str] = []
        self._length = self._opaque = position = 0
        self._anchor: tuple[str, int, int] | None = None
        for tag in _INLINE.finditer(inline):
            self._add(inline[position : tag.start()])
            position = tag.end()
            if tag[2]:
                self._close(tag[2]) if tag[1] else self._open(tag[2], tag[3])
        self._add(inline[position:])
        self.plain, self.prose = "".join(self._plain), "".join(self._prose)

    def _add(self, text: str) -> None:
        if text:
            self._plain.append(text)
            self._prose.append(_NOT_NEWLINE.sub("\0", text) if self._opaque else text)
            self._length += len(text)

    def _open(self, name: str, attributes: str) -> None:
        self._opaque += 1
        if name == "a":
            self._anchor = (attributes, self._length, len(self._plain))
        self._add("\0")

    def _close(self, name: str) -> None:
        self._opaque -= 1
        if name == "a" and self._anchor:
            attributes, position, start = self._anchor
            link = _read_link(attributes, _plain("".join(self._plain[start:])), self._line)
            self.links += [(position, link)] if link else []
            self._anchor = None


def _plain(text: str) -> str:
    return " ".join(unescape(text.replace("\0", "")).split())[:TEXT_LIMIT]


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
