"""Words that stand for numbers, days and months."""

import re

WEEKDAYS = {
    name: index
    for index, names in enumerate(
        (
            "monday mondays mon",
            "tuesday tuesdays tue tues",
            "wednesday wednesdays wed",
            "thursday thursdays thu thur thurs",
            "friday fridays fri",
            "saturday saturdays sat",
            "sunday sundays sun",
        )
    )
    for name in names.split()
}
CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MONTHS = {
    name: index
    for index, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ),
        1,
    )
    for name in names.split()
}
_NUMBERS = {
    word: number
    for number, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve".split(), 1
    )
} | {"a": 1, "an": 1}
POSITIONS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_DIGITS = re.compile(r"[0-9]{1,3}")
_ORDINAL = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)")
_DAY = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th|\.)?")


def number_of(word: str) -> int | None:
    """``3``, ``three``, ``a``."""
    if _DIGITS.fullmatch(word):
        return int(word)
    return _NUMBERS.get(word)


def ordinal_of(word: str) -> int | None:
    """``3rd``."""
    match = _ORDINAL.fullmatch(word)
    return int(match[1]) if match else None


def day_of(word: str) -> int | None:
    """A day of a month: ``3``, ``3rd`` or ``3.``."""
    match = _DAY.fullmatch(word)
    return int(match[1]) if match else None


def word_at(words: list[str], index: int) -> str:
    """The word there, without a comma behind it; empty behind the end."""
    return words[index].rstrip(",") if index < len(words) else ""
