"""Languages and time zones as input."""

from zoneinfo import available_timezones

from insula.http.problem import FieldError, InvalidInput
from insula.i18n import LANGUAGES, say
from insula.i18n.negotiation import lookup

TIME_ZONES = available_timezones()


def check_language(tag: str, pointer: str = "/locale") -> str:
    """The language of ours for a BCP 47 tag: ``de`` for ``de-AT``.

    Raises:
        InvalidInput: we speak none like it.
    """
    found = lookup(tag)
    if found is None:
        fault = say("must be one of {languages}", languages=", ".join(LANGUAGES))
        raise InvalidInput(errors=(FieldError(pointer, fault),))
    return found


def check_time_zone(name: str, pointer: str = "/time_zone") -> None:
    """
    Raises:
        InvalidInput: the IANA time zone database has no such name.
    """
    if name not in TIME_ZONES:
        fault = say("must be a name of the IANA time zone database, such as Europe/Berlin")
        raise InvalidInput(errors=(FieldError(pointer, fault),))
