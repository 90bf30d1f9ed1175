"""From comrak's output to the HTML that is stored and shown.

What a client may rely on:

- ``<a class="wikilink" data-note="Title" data-heading="Heading">text</a>`` for
  ``[[Title#Heading|text]]`` and for relative links to ``.md`` files. There is no ``href``, since
  what the title leads to changes without this note: a client looks the target up among the note's
  links. A link inside the note has ``href="#h-…"``. An embed ``![[Title]]`` has the class
  ``embed`` as well.
- Headings have ``id="h-<slug>"``, unique in the note, with GitHub's slugs.
- ``<li class="task" data-line="7"><input type="checkbox" disabled>`` for a task in line 7.
- ``<code class="language-x">``, ``<span data-math-style="inline|display">``, footnotes, alerts.
"""

import re
from html import escape, unescape
from unicodedata import category
from urllib.parse import unquote

import nh3

from insula.markdown.dialect import Rendering, is_cheap
from insula.markdown.wikilinks import embed_text, markdown_target, wikilink_target

_EMBEDS = 10_000
"""With more embeds than this they are shown as they are written."""

_ESCAPED = re.compile(r'<span data-escaped-char data-sourcepos="[^"]*">([^<]*)</span>')
_WIKILINK = re.compile(r'<a data-sourcepos="[^"]*" href="([^"]*)" data-wikilink="true">([^<]*)</a>')
_LINK = re.compile(r'<a data-sourcepos="[^"]*" href="([^"]*)"')
_EMBED = re.compile(
    r"(?P<code><code[^>]*>[^<]*</code>)|<[^>]*>|!\[\[([^\[\]<>|\n]+)(?:\|([^\[\]<>\n]*))?\]\]"
)
_HEADING = re.compile(r'<h([1-6]) data-sourcepos="[^"]*">(.{0,5000}?)</h\1>', re.DOTALL)
_TASK = re.compile(r'<li data-sourcepos="(\d+):[^"]*">(?=<input type="checkbox")')
_EMBEDDED = re.compile(r"""(["'])data:[a-z0-9/+.;=,-]*\1""", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_SWALLOWING = re.compile(
    r"<(/?)(?=(?:title|textarea|xmp|iframe|noembed|noframes|noscript|plaintext|template|select"
    r"|svg|math|frameset|input(?! type=\"checkbox\"))\b)",
    re.IGNORECASE,
)


def safe_html(rendering: Rendering, *, wikilinks: bool = True) -> str:
    """Comrak's output with links, headings and tasks marked for clients, and nothing that runs.

    Without ``wikilinks``, a link to a Markdown file is a link like any other.
    """
    markup = rendering.raw_markup
    if "data-escaped-char" in markup:
        markup = _ESCAPED.sub(r"\1", markup)
    if "data-wikilink" in markup:
        markup = _WIKILINK.sub(_mark_wikilink, markup)
    if wikilinks:
        if 0 < markup.count("![[") <= _EMBEDS:
            markup = _EMBED.sub(_mark_embed, markup)
        markup = _LINK.sub(_mark_link, markup)
    markup = _HEADING.sub(_Slugs().mark, markup)
    markup = _TASK.sub(r'<li class="task" data-line="\1">', markup)
    if rendering.raw_markup is not rendering.markup:
        markup = _swallow_nothing(markup)
    return _CLEANER.clean(markup)


def clean_html(markup: str) -> str:
    """HTML that somebody else wrote, with nothing in it that runs or reaches the page around it."""
    markup = _EMBEDDED.sub('""', markup)  # no data: address passes, but a long tag is refused
    if not is_cheap(markup):
        return plain_html(markup)
    return _CLEANER.clean(_swallow_nothing(markup))


def plain_html(body: str) -> str:
    """A body shown as it is written, for the few that are not worth rendering."""
    return f"<pre>{escape(body, quote=False)}</pre>"


def _mark_wikilink(found: re.Match[str]) -> str:
    target, heading = wikilink_target(unquote(unescape(found[1])))
    return f"{_note_anchor(target, heading)}{found[2] or escape(target)}</a>"


def _mark_link(found: re.Match[str]) -> str:
    target = markdown_target(unescape(found[1]))
    return _note_anchor(*target)[:-1] if target else found[0]


def _mark_embed(found: re.Match[str]) -> str:
    if found[2] is None:
        return found[0]
    target, heading = wikilink_target(unescape(found[2]))
    anchor = _note_anchor(target, heading).replace("wikilink", "wikilink embed", 1)
    return f"{anchor}{escape(embed_text(target, unescape(found[3] or '')))}</a>"


def _note_anchor(target: str, heading: str) -> str:
    inside = f' href="#h-{escape(slug(heading))}"' if heading and not target else ""
    within = f' data-heading="{escape(heading)}"' if heading else ""
    return f'<a class="wikilink"{inside} data-note="{escape(target)}"{within}>'


def slug(heading: str) -> str:
    """GitHub's: letters, marks, digits and ``_`` kept, spaces to hyphens, in lower case."""
    return "".join(
        "-" if character == " " else character
        for character in heading.strip().lower()
        if character in " -" or category(character)[0] in "LMN" or category(character) == "Pc"
    )


class _Slugs:
    """The heading ids of one note; the second ``Plan`` is ``h-plan-1``."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def mark(self, found: re.Match[str]) -> str:
        level, inner = found[1], found[2]
        identifier = self._unique(slug(unescape(_TAG.sub("", inner))))
        return f'<h{level} id="h-{escape(identifier)}">{inner}</h{level}>'

    def _unique(self, wanted: str) -> str:
        identifier = wanted
        while identifier in self._next:
            identifier = f"{wanted}-{self._next[wanted]}"
            self._next[wanted] += 1
        self._next[identifier] = 1
        return identifier


def _swallow_nothing(markup: str) -> str:
    """Rename elements inside which a parser takes the rest of the note for plain text.

    The same goes for inputs other than the checkboxes of tasks. The sanitiser doesn't know the
    renamed ones: it drops the tags and keeps what is inside. Scripts and styles keep their name,
    so that they go with all they hold, unless they never end.
    """
    markup = _SWALLOWING.sub(r"<\1x-", markup)
    for name in ("script", "style"):
        opened = len(re.findall(f"<{name}", markup, re.IGNORECASE))
        if opened and opened != len(re.findall(f"</{name}", markup, re.IGNORECASE)):
            markup = re.sub(rf"<(/?)(?={name})", r"<\1x-", markup, flags=re.IGNORECASE)
    return markup


_TEXT_TAGS = {
    "abbr", "b", "blockquote", "br", "caption", "cite", "code", "dd", "del", "details", "dfn",
    "dl", "dt", "em", "figcaption", "figure", "hr", "i", "ins", "kbd", "mark", "p", "pre", "q",
    "s", "samp", "small", "strong", "sub", "summary", "table", "tbody", "tfoot", "thead", "tr",
    "u", "ul", "var", "wbr",
}  # fmt: skip
_HEADING_TAGS = {f"h{level}" for level in range(1, 7)}
_ATTRIBUTES = {
    "a": {"href", "title", "class", "id", "data-note", "data-heading", "aria-label"},
    "abbr": {"title"},
    "code": {"class"},
    "details": {"open"},
    "div": {"class", "align"},
    "img": {"src", "alt", "title", "width", "height"},
    "input": {"type", "checked"},
    "li": {"class", "id", "data-line"},
    "ol": {"start"},
    "p": {"class", "align"},
    "section": {"class"},
    "span": {"data-math-style"},
    "sup": {"class"},
    "td": {"align"},
    "th": {"align"},
} | {tag: {"id"} for tag in _HEADING_TAGS}
_CLASSES = {
    "a": {"wikilink", "wikilink embed", "footnote-backref"},
    "div": {
        f"markdown-alert markdown-alert-{kind}"
        for kind in ("note", "tip", "important", "warning", "caution")
    },
    "li": {"task"},
    "p": {"markdown-alert-title"},
    "section": {"footnotes"},
    "sup": {"footnote-ref"},
}
_LANGUAGE = re.compile(r"language-[\w+#.-]{1,50}")
_IDENTIFIER = re.compile(r"(?:h|fn|fnref)-.{0,1000}", re.DOTALL)


def _permitted(tag: str, attribute: str, value: str) -> str | None:
    """Ids and classes of the document's own kind only: others reach the page around it."""
    if attribute == "class":
        known = value in _CLASSES.get(tag, ()) or (tag == "code" and _LANGUAGE.fullmatch(value))
        return value if known else None
    if attribute == "type":
        return value if value == "checkbox" else None
    if attribute == "id":
        return value if _IDENTIFIER.fullmatch(value) else None
    return value


_CLEANER = nh3.Cleaner(
    tags=_TEXT_TAGS | _ATTRIBUTES.keys(),
    clean_content_tags={"script", "style"},
    attributes=_ATTRIBUTES,
    attribute_filter=_permitted,
    set_tag_attribute_values={"input": {"disabled": ""}},
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel="nofollow noopener noreferrer",
)
