"""Findings as LanguageTool's HTTP API gives them.

Offsets and lengths count UTF-16 code units of the source, as LanguageTool (Java) and editors in
browsers do: an emoji is two of them.
"""

import re
from bisect import bisect_left
from typing import Any

import msgspec

from insula_tenants.notes.grammar.child import Finding

MOST_MATCHES = 1000
_AROUND = 40
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n|\n(?=[-*+>#|] )")
_ISSUES = {
    "Spelling": "misspelling",
    "Typo": "misspelling",
    "Grammar": "grammar",
    "Agreement": "grammar",
    "BoundaryError": "grammar",
    "Style": "style",
    "Enhancement": "style",
    "Readability": "style",
    "WordChoice": "style",
    "Redundancy": "style",
    "Repetition": "duplication",
    "Punctuation": "typographical",
    "Formatting": "whitespace",
    "Capitalization": "typographical",
    "Regionalism": "locale-violation",
}


class _Camel(msgspec.Struct, rename="camel", kw_only=True):
    """LanguageTool's names."""


class Replacement(_Camel):
    value: str


class Context(_Camel):
    """The piece of text around the match; ``offset`` counts within it."""

    text: str
    offset: int
    length: int


class Category(_Camel):
    id: str
    name: str


class Rule(_Camel):
    id: str
    description: str
    issue_type: str
    category: Category


class MatchType(_Camel):
    type_name: str


class Match(_Camel):
    message: str
    short_message: str
    replacements: list[Replacement]
    offset: int
    """In UTF-16 code units of the source."""
    length: int
    context: Context
    sentence: str
    type: MatchType
    rule: Rule
    ignore_for_incomplete_sentence: bool = False
    context_for_sure_match: int = 0


class Detected(_Camel):
    name: str
    code: str
    confidence: float = 1.0


class Language(_Camel):
    name: str
    code: str
    detected_language: Detected


class Software(_Camel):
    name: str = "Insula (Harper)"
    version: str = "1"
    build_date: str = ""
    api_version: int = 1
    premium: bool = False
    status: str = ""


class Warnings(_Camel):
    incomplete_results: bool = False
    """There are more than 1,000 matches: the first are given."""


class CheckAnswer(_Camel):
    software: Software
    warnings: Warnings
    language: Language
    matches: list[Match]


class Units:
    """Code points of a text as UTF-16 code units."""

    def __init__(self, text: str) -> None:
        self._pairs = [index for index, letter in enumerate(text) if letter > "\uffff"]

    def at(self, index: int) -> int:
        return index + bisect_left(self._pairs, index)


def answer(text: str, findings: list[Finding], code: str, name: str) -> CheckAnswer:
    """The findings in a text, in LanguageTool's shape."""
    units = Units(text)
    return CheckAnswer(
        software=Software(),
        warnings=Warnings(incomplete_results=len(findings) > MOST_MATCHES),
        language=Language(name=name, code=code, detected_language=Detected(name=name, code=code)),
        matches=[_match(text, finding, units) for finding in findings[:MOST_MATCHES]],
    )


def _match(text: str, finding: Finding, units: Units) -> Match:
    words = _words(finding.kind)
    start, end = units.at(finding.start), units.at(finding.end)
    return Match(
        message=finding.message,
        short_message=words,
        replacements=[Replacement(value=value) for value in finding.replacements],
        offset=start,
        length=end - start,
        context=_context(text, finding),
        sentence=_sentence(text, finding),
        type=MatchType(type_name="UnknownWord" if finding.rule == "SpellCheck" else "Other"),
        rule=Rule(
            id=finding.rule,
            description=_words(finding.rule),
            issue_type=_ISSUES.get(finding.kind, "uncategorized"),
            category=Category(id=re.sub(" ", "_", words).upper(), name=words),
        ),
    )


def _words(name: str) -> str:
    """``WordChoice`` as ``Word Choice``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _context(text: str, finding: Finding) -> Context:
    first = max(0, finding.start - _AROUND)
    last = min(len(text), finding.end + _AROUND)
    piece = text[first:last].translate(_BLANKS)
    before, after = "…" if first else "", "…" if last < len(text) else ""
    units = Units(before + piece)
    start = len(before) + finding.start - first
    end = start + finding.end - finding.start
    return Context(
        text=before + piece + after,
        offset=units.at(start),
        length=units.at(end) - units.at(start),
    )


_BLANKS: dict[int, Any] = {ord(letter): " " for letter in "\r\n\t"}


def _sentence(text: str, finding: Finding) -> str:
    """The sentence around a finding, as far as full stops and line breaks tell."""
    first = max(0, finding.start - 500)
    last = min(len(text), finding.end + 500)
    begin, end = first, last
    for match in _SENTENCE_END.finditer(text, first, last):
        if match.end() <= finding.start:
            begin = match.end()
        elif match.start() >= finding.end:
            end = match.start()
            break
    return text[begin:end].strip()
