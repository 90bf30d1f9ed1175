"""What msgspec says of input that does not fit, as texts that can be translated."""

import re

from insula.i18n.texts import Text, say

# Each with a literal template, so that `insula i18n report` finds it.
_MESSAGES: tuple[tuple[re.Pattern[str], Text], ...] = tuple(
    (re.compile(pattern), template)
    for pattern, template in (
        (r"Expected `(?P<wanted>.+)`, got `(?P<got>.+)`", say("Expected `{wanted}`, got `{got}`")),
        (
            r"Expected `(?P<wanted>.+)` of length (?P<sign>[<>=]+) (?P<length>\d+)",
            say("Expected `{wanted}` of length {sign} {length}"),
        ),
        (
            r"Expected `(?P<wanted>.+)` (?P<sign>[<>=]+) (?P<bound>\S+)",
            say("Expected `{wanted}` {sign} {bound}"),
        ),
        (
            r"Expected `(?P<wanted>.+)` matching regex (?P<pattern>.+)",
            say("Expected `{wanted}` matching {pattern}"),
        ),
        (r"Object missing required field `(?P<field>.+)`", say("The field `{field}` is missing")),
        (
            r"Object contains unknown field `(?P<field>.+)`",
            say("There is no field `{field}` here"),
        ),
        (r"Invalid enum value (?P<value>.+)", say("{value} is none of the possible values")),
        (r"Invalid UUID", say("This is not a UUID")),
        (r"Invalid RFC3339 encoded datetime", say("This is not a time as RFC 3339 writes it")),
        (r"Invalid RFC3339 encoded date", say("This is not a date as RFC 3339 writes it")),
        (r"Invalid decimal string", say("This is not a decimal number")),
    )
)


def validation_text(message: str) -> str:
    """The message as a text; as it is where it is of a kind that we do not know."""
    for pattern, template in _MESSAGES:
        if (match := pattern.fullmatch(message)) is not None:
            return Text(template.template, match.groupdict())
    return message
