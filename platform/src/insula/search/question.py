"""What somebody asks for: read from what they typed, which is never wrong.

Words, all of which have to be there; ``"a phrase"``; ``-without``; ``or`` between alternatives. The
last word may be the beginning of one.
"""

import re
from typing import Final

import msgspec
from sqlalchemy import Column, Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from insula.db import Statement, Work

MOST_CHARACTERS: Final = 500
MOST_TERMS: Final = 16
_MOST_TERM: Final = 100

_TYPED: Final = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_LEXEME: Final = re.compile(r"'((?:[^'\\]|''|\\.)*)'")


class Term(msgspec.Struct, frozen=True):
    """A word or a phrase."""

    text: str
    excluded: bool = False
    is_phrase: bool = False
    is_prefix: bool = False
    """Whether it may go on."""
    alternative: int = 0
    """Terms of the same number have to be there together."""


class _Lexed(msgspec.Struct, frozen=True):
    """A term in PostgreSQL's words: as a ``tsquery`` of the words as they are, and one of stems."""

    plain: str
    stems: str


class Clause(msgspec.Struct, frozen=True):
    """A term, and the ``tsquery`` that finds it."""

    term: Term
    plain: str
    stems: str
    similar: tuple[str, ...] = ()
    """Known words that it may have been meant to be."""

    @property
    def is_stop_word(self) -> bool:
        """Whether no language has a stem of it: "the" says nothing about a text."""
        return not self.stems

    @property
    def tsquery(self) -> str:
        ways = [self.plain, self.stems, *map(_quoted, self.similar)]
        if self.term.is_prefix:
            ways.append(_LEXEME.sub(r"\g<0>:*", self.plain))
        found = "(" + " | ".join(dict.fromkeys(f"({way})" for way in ways if way)) + ")"
        return f"!{found}" if self.term.excluded else found

    @property
    def words(self) -> list[str]:
        """The words as they are, folded."""
        return [*_unquoted(self.plain), *self.similar]

    @property
    def stem_words(self) -> list[str]:
        return _unquoted(self.stems)


_LEX = Statement(
    text(
        """
        SELECT phraseto_tsquery('simple', search_fold(term))::text AS plain,
            coalesce((
                SELECT string_agg(DISTINCT stems::text, ' | ')
                FROM unnest(CAST(:languages AS text[])) AS language,
                    phraseto_tsquery(search_language(language), search_fold(term)) AS stems
                WHERE numnode(stems) > 0
            ), '') AS stems
        FROM unnest(CAST(:terms AS text[])) WITH ORDINALITY AS terms (term, place)
        ORDER BY place
        """
    )
    .bindparams(bindparam("languages", type_=ARRAY(Text)), bindparam("terms", type_=ARRAY(Text)))
    .columns(Column("plain", Text), Column("stems", Text)),
    _Lexed,
)


class _Similar(msgspec.Struct, frozen=True):
    place: int
    word: str


_SIMILAR = Statement(
    text(
        """
        SELECT place::integer AS place, word
        FROM unnest(CAST(:words AS text[]), CAST(:longest AS integer[]))
            WITH ORDINALITY AS wanted (wish, long, place),
            search_similar(wish, length(wish) - 2, long, 200) AS word
        """
    )
    .bindparams(bindparam("words", type_=ARRAY(Text)), bindparam("longest", type_=ARRAY(Integer)))
    .columns(Column("place", Integer), Column("word", Text)),
    _Similar,
)


def read(typed: str) -> tuple[Term, ...]:
    """The terms of what was typed, the first few of very many."""
    typed = typed[:MOST_CHARACTERS]
    found: list[Term] = []
    alternative = 0
    for minus, phrase, word in _TYPED.findall(typed):
        if not phrase and word.lower() == "or" and found:
            alternative += 1
            continue
        written = (phrase or word)[:_MOST_TERM]
        if written and len(found) < MOST_TERMS:
            found.append(Term(written, minus == "-", bool(phrase), False, alternative))
    if found and typed.endswith(found[-1].text) and not found[-1].excluded:
        last = msgspec.structs.replace(found[-1], is_prefix=not found[-1].is_phrase)
        found[-1] = last
    return tuple(found)


async def lex(tx: Work, terms: tuple[Term, ...], languages: tuple[str, ...]) -> tuple[Clause, ...]:
    """The terms as PostgreSQL sees them. Words that say nothing are left out, unless nothing else
    was asked for; so is what has no letter or digit in it."""
    if not terms:
        return ()
    lexed = await tx.many(_LEX, terms=[term.text for term in terms], languages=list(languages))
    clauses = [
        Clause(term, each.plain, each.stems)
        for term, each in zip(terms, lexed, strict=True)
        if each.plain
    ]
    telling = [each for each in clauses if not each.is_stop_word or each.term.is_prefix]
    if any(not each.term.excluded for each in telling):
        clauses = telling
    return tuple(clauses)


async def look_alikes(tx: Work, wanted: list[tuple[str, int]]) -> list[list[str]]:
    """For each word and greatest length, known words that look like it, the most similar first."""
    found: list[list[str]] = [[] for _ in wanted]
    if wanted:
        words, longest = zip(*wanted, strict=True)
        for row in await tx.many(_SIMILAR, words=list(words), longest=list(longest)):
            found[row.place - 1].append(row.word)
    return found


def tsquery(clauses: tuple[Clause, ...], *, every: bool = True) -> str:
    """The ``tsquery`` of a question: all that stands together, or (``every=False``) any of it."""
    alternatives: dict[int, list[str]] = {}
    for clause in clauses:
        alternatives.setdefault(clause.term.alternative, []).append(clause.tsquery)
    if every:
        return " | ".join(f"({' & '.join(parts)})" for parts in alternatives.values())
    wanted = " | ".join(each.tsquery for each in clauses if not each.term.excluded)
    without = [each.tsquery for each in clauses if each.term.excluded]
    return " & ".join([f"({wanted})", *without]) if wanted else ""


async def tsquery_of(tx: Work, typed: str, languages: tuple[str, ...]) -> str:
    """What was typed as a ``tsquery``, for one list."""
    return tsquery(await lex(tx, read(typed), languages))


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


def _unquoted(query: str) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", found.replace("''", "'")) for found in _LEXEME.findall(query)]
