"""What is asked of the grammar check, whoever's API it comes through."""

import harper
import msgspec
from insula.db import Work
from insula.http.exchange import Caller
from insula.http.problem import FieldError, InvalidInput
from insula.i18n import say

from insula_tenants.notes.grammar import words
from insula_tenants.notes.grammar.answers import CheckAnswer, answer
from insula_tenants.notes.grammar.checking import checker
from insula_tenants.notes.grammar.child import Finding, Request

TEXT_LIMIT = 100_000
LANGUAGES = {
    "en-US": ("English (US)", harper.Dialect.AMERICAN),
    "en-GB": ("English (GB)", harper.Dialect.BRITISH),
    "en-AU": ("English (Australian)", harper.Dialect.AUSTRALIAN),
    "en-CA": ("English (Canadian)", harper.Dialect.CANADIAN),
    "en-IN": ("English (Indian)", harper.Dialect.INDIAN),
}
_ALIASES = {"auto": "en-US", "en": "en-US"}


class Check(msgspec.Struct, frozen=True):
    text: str
    language: str = "en-US"
    markdown: bool = True
    disabled_rules: frozenset[str] = frozenset()
    enabled_rules: frozenset[str] = frozenset()
    enabled_only: bool = False

    def wants(self, rule: str) -> bool:
        if self.enabled_only:
            return rule in self.enabled_rules
        return rule not in self.disabled_rules or rule in self.enabled_rules


async def run(tx: Work, check: Check, caller: Caller) -> CheckAnswer:
    """Check a text with the caller's dictionary and the tenant's. No connection is held meanwhile.

    Raises:
        InvalidInput: the language is none of ours.
        TextTooHard, Unavailable: see :meth:`Checker.check`.
    """
    code = _ALIASES.get(check.language, check.language)
    if code not in LANGUAGES:
        known = ", ".join((*LANGUAGES, *_ALIASES))
        raise InvalidInput(
            errors=(FieldError("/language", say("must be one of {known}", known=known)),)
        )
    name, dialect = LANGUAGES[code]
    known_words = await words.known_to(tx, caller.user_id)
    found = await checker().check(Request(check.text, int(dialect), check.markdown))
    kept = [
        each
        for each in found
        if check.wants(each.rule) and not _is_known(each, check.text, known_words)
    ]
    return answer(check.text, kept, code, name)


def _is_known(finding: Finding, text: str, known: frozenset[str]) -> bool:
    return words.fold(text[finding.start : finding.end]) in known
