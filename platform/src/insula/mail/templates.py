"""Templates of mails: one source for the subject, the plain text and the HTML.

``templates/mail/reminder.en.md`` in the package of the module ``tasks`` is ``tasks.reminder``::

    Subject: {{ task }} is due

    Hello {{ name }},

    [{{ task }}]({{ url }}) is due **tomorrow**.

It is Markdown with Jinja2. What is put into it is text and stays text: neither HTML nor Markdown of
a value takes effect (so put none into code, where it could not be escaped). ``reminder.de.md``
beside it is the German one; ``de-AT`` falls back to ``de``, and what there is no translation of to
English.
"""

import re
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import comrak
import msgspec
import nh3
from jinja2 import Environment, StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from insula.mail.plain_text import to_text

ENTRY_POINTS: Final = "insula.modules"
FALLBACK: Final = "en"
_NAME = re.compile(r"[a-z][a-z0-9]*\.[a-z][a-z0-9_]*")
_LOCALE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_BREAKS = re.compile(r"\s*\n\s*")
_RIGHT_TO_LEFT: Final = frozenset(["ar", "dv", "fa", "he", "ku", "ps", "ur", "yi"])
_TAGS: Final = {
    "p", "br", "a", "strong", "em", "del", "code", "pre", "ul", "ol", "li", "blockquote", "hr",
    "h1", "h2", "h3", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


class TemplateMissing(Exception):
    """There is no such template, not even in English."""


class Rendered(msgspec.Struct, frozen=True):
    subject: str
    text: str
    html: str
    locale: str
    """The language that was found."""


class _Source(msgspec.Struct, frozen=True):
    subject: Template
    body: Template
    locale: str


def render(name: str, locale: str, context: dict[str, Any]) -> Rendered:
    """
    Raises:
        TemplateMissing: see there.
        jinja2.UndefinedError: the template needs something that the context has not.
    """
    source = _find(name, locale)
    subject = " ".join(source.subject.render(context).split())
    body = _to_html(source.body.render(context))
    language = source.locale.partition("-")[0]
    html = _layout().render(
        subject=subject,
        body=Markup(body),  # noqa: S704 - cleaned by nh3
        locale=source.locale,
        direction="rtl" if language in _RIGHT_TO_LEFT else "ltr",
    )
    return Rendered(subject, to_text(body), html, source.locale)


def _to_html(markdown: str) -> str:
    extensions = comrak.ExtensionOptions()
    extensions.strikethrough = extensions.table = True
    markup = comrak.render_markdown(markdown, extensions)
    return nh3.clean(
        markup,
        tags=set(_TAGS),
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
    )


def _escape(value: object) -> str:
    """A value as Markdown that means just its characters. Breaks stay, paragraphs don't."""
    if isinstance(value, Markup):
        return str(value)
    escaped = _PUNCTUATION.sub(r"\\\1", str(value).replace("\0", "\ufffd").strip())
    return _BREAKS.sub("\\\n", escaped)


_OPTIONS: dict[str, Any] = {"undefined": StrictUndefined, "keep_trailing_newline": True}
# A sandbox: some day tenants will write templates of their own.
_BODIES: Environment = SandboxedEnvironment(
    finalize=_escape,
    autoescape=False,
    **_OPTIONS,
)
_SUBJECTS: Environment = SandboxedEnvironment(autoescape=False, **_OPTIONS)
_LAYOUTS: Environment = SandboxedEnvironment(autoescape=True, **_OPTIONS)


@cache
def _layout() -> Template:
    source = files("insula.mail") / "templates" / "layout.html"
    return _LAYOUTS.from_string(source.read_text(encoding="utf-8"))


def _find(name: str, locale: str) -> _Source:
    wanted = locale.replace("_", "-") if _LOCALE.fullmatch(locale) else FALLBACK
    while True:
        if (source := _load(name, wanted)) is not None:
            return source
        if wanted == FALLBACK:
            raise TemplateMissing(f"no mail template {name!r}: it would be {_path(name, FALLBACK)}")
        wanted = wanted.rpartition("-")[0] or FALLBACK


@cache
def _load(name: str, locale: str) -> _Source | None:
    path = _path(name, locale)
    if not path.is_file():
        return None
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    subject = head.removeprefix("Subject:")
    if subject == head or "\n" in head:
        raise TemplateMissing(f"{path} must begin with a line 'Subject: …' and an empty one")
    return _Source(_SUBJECTS.from_string(subject.strip()), _BODIES.from_string(body), locale)


def _path(name: str, locale: str) -> Traversable:
    if not _NAME.fullmatch(name):
        raise TemplateMissing(f"{name!r} is not '<module>.<template>'")
    module, _, template = name.partition(".")
    return files(_package(module)) / "templates" / "mail" / f"{template}.{locale}.md"


def _package(module: str) -> str:
    """The package of a module; what is none is a part of the platform."""
    for point in entry_points(group=ENTRY_POINTS, name=module):
        return point.module.rpartition(".")[0]
    return f"insula.{module}"
