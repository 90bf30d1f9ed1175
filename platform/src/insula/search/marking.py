"""Results as people see them: the piece of a text that matches, with the matching words marked."""

import html
import re
from functools import cache
from typing import Final

import Stemmer

from insula.search.folding import PART, WORD, fold, pattern_of
from insula.search.question import Clause

WINDOW: Final = 1200
"""How many characters of a text are fetched around its first match …"""
BEFORE: Final = 200
"""… and how many of these lie in front of it."""
_SNIPPET: Final = 220
_LEAD: Final = 60
_BLANKS: Final = re.compile(r"\s+")

_STEMMERS: Final = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "es": "spanish", "eu": "basque", "fi": "finnish", "fr": "french",
    "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch",
    "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""As in ``search_language`` (``migrations_core/0007_search.sql``)."""


@cache
def _stemmer(language: str) -> Stemmer.Stemmer | None:
    name = _STEMMERS.get(language.partition("-")[0].lower())
    return Stemmer.Stemmer(name) if name in Stemmer.algorithms() else None


class Marker:
    """Knows which words of a text a question has found."""

    def __init__(self, clauses: tuple[Clause, ...], languages: tuple[str, ...]) -> None:
        wanted = [clause for clause in clauses if not clause.term.excluded]
        self._words = {word for clause in wanted for word in clause.words}
        self._stems = {word for clause in wanted for word in clause.stem_words}
        self._beginnings = tuple(
            word for clause in wanted if clause.term.is_prefix for word in clause.words
        )
        self._stemmers = [found for tag in languages if (found := _stemmer(tag))]

    @property
    def pattern(self) -> str:
        """A regular expression that finds the first match in a text, or its beginning."""
        patterns = {pattern_of(word) for word in (*self._words, *self._stems)} - {""}
        return rf"\m({'|'.join(sorted(patterns))})" if patterns else "^"

    def matches(self, word: str) -> bool:
        folded = fold(word)
        return (
            folded in self._words
            or folded.startswith(self._beginnings)
            or any(stemmer.stemWord(folded) in self._stems for stemmer in self._stemmers)
        )

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where in a text the words are that match."""
        found: list[tuple[int, int]] = []
        for whole in WORD.finditer(text):
            if self.matches(whole[0]):
                found.append(whole.span())
                continue
            parts = PART.finditer(text, whole.start(), whole.end())
            found += [part.span() for part in parts if self.matches(part[0])]
        return found

    def mark(self, text: str) -> str:
        """A text as HTML, everything escaped but the ``<mark>`` around what matches."""
        return _marked(text, self.spans(text))

    def snippet(self, window: str, *, is_beginning: bool, is_end: bool) -> str:
        """The piece of a window of a text around its first match, as HTML."""
        window = _BLANKS.sub(" ", window)
        spans = self.spans(window)
        start = _word_start(window, spans[0][0] - _LEAD if spans else 0)
        end = _word_end(window, start + _SNIPPET)
        inside = [(a - start, b - start) for a, b in spans if start <= a and b <= end]
        piece = _marked(window[start:end], inside).strip()
        before = "" if start == 0 and is_beginning else "…"
        return before + piece + ("" if end == len(window) and is_end else "…")


def _marked(text: str, spans: list[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [html.escape(text[at:start]), "<mark>", html.escape(text[start:end]), "</mark>"]
        at = end
    parts.append(html.escape(text[at:]))
    return "".join(parts)


def _word_start(text: str, at: int) -> int:
    """The first place from ``at`` where a word begins, if there is one near."""
    if at <= 0:
        return 0
    blank = text.find(" ", at, at + _LEAD)
    return at if blank < 0 else blank + 1


def _word_end(text: str, at: int) -> int:
    if at >= len(text):
        return len(text)
    blank = text.rfind(" ", at - _LEAD, at)
    return at if blank < 0 else blank
