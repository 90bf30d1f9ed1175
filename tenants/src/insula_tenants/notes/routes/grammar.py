"""Checking grammar, and the words that one does not want to hear of."""

from typing import Any
from uuid import UUID

from insula.db import Work
from insula.http.exchange import Caller
from insula.http.listing import Page
from litestar import Request, delete, get, post

from insula_tenants.notes.errors import DictionaryFull, TextTooHard
from insula_tenants.notes.grammar import words
from insula_tenants.notes.grammar.answers import CheckAnswer
from insula_tenants.notes.grammar.request import Check, run
from insula_tenants.notes.grammar.schemas import CheckRequest, Word, WordAdd
from insula_tenants.notes.permissions import READ, WRITE


@post("/check", right=READ, status_code=200, problems=(TextTooHard,))
async def check_grammar(data: CheckRequest, tx: Work, caller: Caller) -> CheckAnswer:
    """Check spelling, grammar and style of an English text, and answer as LanguageTool does.
    Offsets count UTF-16 code units of the text as it was sent, Markdown included."""
    check = Check(data.text, data.language, data.markdown, frozenset(data.disabled_rules))
    return await run(tx, check, caller)


@get("/words", right=READ, listing=words.LIST)
async def list_words(request: Request[Any, Any, Any], tx: Work, caller: Caller) -> Page[Word]:
    """The caller's dictionary and the tenant's."""
    return await words.LIST.page(tx, request, user_id=caller.user_id)


@post("/words", right=WRITE, problems=(DictionaryFull,))
async def add_word(data: WordAdd, tx: Work, caller: Caller) -> Word:
    """Have the check take a word for right."""
    return await words.add(tx, data.word, caller.user_id, shared=data.shared)


@delete("/words/{word_id:uuid}", right=WRITE)
async def remove_word(word_id: UUID, tx: Work, caller: Caller) -> None:
    """Take a word out of the dictionary."""
    await words.remove(tx, word_id, caller.user_id)


ROUTES = (check_grammar, list_words, add_word, remove_word)
