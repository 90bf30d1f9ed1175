"""Words as they are compared; as ``search_fold`` does it in ``migrations_core/0007_search.sql``."""

import re
import unicodedata
from functools import cache
from typing import Final

_MARKS: Final = "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u064b-\u0652\u0670"
_STRIP: Final = re.compile(f"[{_MARKS}]")
_PLAIN: Final = str.maketrans("łøđħıŧð", "lodhitd")
_WIDE: Final = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe"})

WORD: Final = re.compile(rf"[\w{_MARKS}]+(?:[@.'’\-][\w{_MARKS}]+)*")
"""A word of a text; one that is put together, like an e-mail address, is one word."""
PART: Final = re.compile(rf"[\w{_MARKS}]+")

_ACCENTED: Final = (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))
"""Letters of Latin scripts that fold to a plain one."""


def fold(text: str) -> str:
    """Lower case, compatibility forms made plain, no accents."""
    if text.isascii():
        return text.lower()
    plain = _STRIP.sub("", unicodedata.normalize("NFKD", text)).lower()
    return plain.translate(_PLAIN).translate(_WIDE)


@cache
def _variants() -> dict[str, str]:
    """For each plain letter, the characters that fold to it."""
    found: dict[str, str] = {}
    for code in _ACCENTED:
        letter = fold(chr(code))
        if len(letter) == 1 and letter.isascii():
            found[letter] = found.get(letter, "") + chr(code)
    return found


def pattern_of(folded: str) -> str:
    """A regular expression, for PostgreSQL's engine too, that finds a folded word in a text as it
    was written. Made of letters and digits only, so that nothing in it means something else."""
    letters = (
        f"[{char}{char.upper()}{_variants().get(char, '')}]" if char.isascii() else char
        for char in folded
        if char.isalnum()
    )
    return "".join(letters)
