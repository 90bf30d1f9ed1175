"""Markdown as Insula understands it, and how much work one text may cause.

The dialect is CommonMark with GitHub's extensions (tables, strikethrough, autolinks, task lists,
footnotes, alerts) and those of Obsidian (wikilinks, ``==highlight==``, ``$math$``).

comrak and html5ever take linear time for almost everything; the limits below cut off what was
measured not to be. A body within them renders in well under a second, whatever is in it.
"""

import re
from collections import Counter
from typing import NamedTuple

import comrak

_MARKERS = 50
"""Quote and list markers that may open on one line; nesting costs its square further on."""
_TILDES = 10_000
"""comrak matches runs of ``~`` of different lengths in quadratic time."""
_FOOTNOTES = 2_000
"""Each reference puts a link back, with the footnote's name twice, into the output."""
_ADDRESSES = 200
"""E-mail addresses on one line: comrak goes one call deeper for each, and the stack is finite.

Some ten thousand end the process on its main thread, one or two thousand on a small stack.
"""
_BARE_LINKS = 500
_UNBROKEN = 4_000
"""Characters without white space; for each link that starts in them, comrak looks to their end."""
_TAGS = 200_000
"""Tags of the rendered note; html5ever reads about a million a second."""
_DEPTH = 100

_RULER = r"[ \t]*+([-*])(?:[ \t]*+\1)*+[ \t]*+$"
_NESTED_LINE = re.compile(
    rf"^(?!{_RULER})(?:[ \t]*+(?:>|(?:[-+*]|\d{{1,9}}[.)])(?=[ \t]))){{{_MARKERS}}}", re.MULTILINE
)
_NESTING = re.compile(r"<(/?)(?:blockquote|ul|ol|em|strong|del|mark|div|sup)\b")
_OMITTED = "<!-- raw HTML omitted -->"

_AT = re.compile("@|&commat;|&#0*64;|&#[xX]0*40;")

_OPENING = re.compile(r"<(?!(?:br|hr|img|input|wbr|col)\b)[a-z]", re.IGNORECASE)
_FORMATTING = re.compile(
    r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)\b", re.IGNORECASE
)
_FORMATTING_TAG = re.compile(
    r"<(/?)(a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)\b", re.IGNORECASE
)
_TABLE = re.compile("<table", re.IGNORECASE)
_LONG_TAG = re.compile(r"<[a-z][^<>]{2000}", re.IGNORECASE)


class Rendering(NamedTuple):
    """comrak's output with source positions, not yet safe to show."""

    markup: str
    """Only what Markdown itself produced: raw HTML is left out. Well-formed."""
    raw_markup: str
    """The same with the note's own HTML in place, or ``markup`` where there is none to show."""


def render(body: str, *, wikilinks: bool = True) -> Rendering | None:
    """Render a body; None where it is too deeply or densely marked up to bother."""
    if _NESTED_LINE.search(body):
        return None
    markup = _comrak(body, raw=False, wikilinks=wikilinks)
    if markup.count("<") > _TAGS or _depth(markup) > _DEPTH:
        return None
    if _OMITTED not in markup:
        return Rendering(markup, markup)
    raw_markup = _comrak(body, raw=True, wikilinks=wikilinks)
    markup = markup.replace(_OMITTED, "")
    return Rendering(markup, raw_markup if _raw_html_is_cheap(markup, raw_markup) else markup)


def _comrak(body: str, *, raw: bool, wikilinks: bool) -> str:
    extensions = comrak.ExtensionOptions()
    extensions.table = extensions.tasklist = extensions.alerts = True
    extensions.autolink = _can_link_addresses(body)
    extensions.strikethrough = body.count("~") <= _TILDES
    extensions.footnotes = body.count("[^") <= _FOOTNOTES
    extensions.wikilinks_title_after_pipe = wikilinks
    extensions.highlight = extensions.math_dollars = True
    output = comrak.RenderOptions()
    output.sourcepos = True  # tasks, links and embeds know their line from it
    output.escaped_char_spans = True  # so that \#word is told from #word
    output.unsafe_ = raw
    return comrak.render_markdown(body, extensions, None, output)


def _can_link_addresses(body: str) -> bool:
    """Whether bare addresses may become links: few enough on any line, in any unbroken stretch."""
    if len(_AT.findall(body)) > _ADDRESSES:
        lines = body.replace("\r", "\n").split("\n")
        if max(len(_AT.findall(line)) for line in lines) > _ADDRESSES:
            return False
    if body.count("://") + body.count("www.") > _BARE_LINKS:
        return max(map(len, body.split())) <= _UNBROKEN
    return True


def _depth(markup: str) -> int:
    deepest = depth = 0
    for tag in _NESTING.finditer(markup):
        depth += -1 if tag[1] else 1
        deepest = max(deepest, depth)
    return deepest


def _raw_html_is_cheap(markup: str, raw_markup: str) -> bool:
    """Whether html5ever reads the note's own HTML in bounded time.

    Its costs are products: unclosed elements times tags (each tag looks up the stack),
    formatting elements times blocks (they are opened again in every block), text in a table but
    outside its cells, squared; and the attributes of one tag, squared.
    """
    tags = raw_markup.count("<")
    opened = _added(_OPENING, markup, raw_markup)
    formatting = _added(_FORMATTING, markup, raw_markup)
    return (
        tags <= _TAGS
        and opened * tags <= 50_000_000
        and formatting * tags <= 500_000
        and (tags <= 20_000 or not _added(_TABLE, markup, raw_markup))
        and not _LONG_TAG.search(raw_markup)
    )


def is_cheap(markup: str) -> bool:
    """Whether html5ever reads HTML of somebody's own in bounded time; see
    :func:`_raw_html_is_cheap`. What is closed again before the next block costs nothing."""
    tags = markup.count("<")
    return (
        tags <= _TAGS
        and len(_OPENING.findall(markup)) * tags <= 50_000_000
        and _most_open(markup) * tags <= 500_000
        and (tags <= 20_000 or not _TABLE.search(markup))
        and not _LONG_TAG.search(markup)
    )


def _most_open(markup: str) -> int:
    """How many formatting elements are open at once, at most."""
    running: Counter[str] = Counter()
    most = now = 0
    for tag in _FORMATTING_TAG.finditer(markup):
        name = tag[2].lower()
        if not tag[1]:
            running[name] += 1
            now += 1
            most = max(most, now)
        elif running[name]:
            running[name] -= 1
            now -= 1
    return most


def _added(pattern: re.Pattern[str], markup: str, raw_markup: str) -> int:
    return len(pattern.findall(raw_markup)) - len(pattern.findall(markup))
