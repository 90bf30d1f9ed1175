"""Languages: what a person reads, in theirs.

Code says things in English, as a :class:`Text` wherever a value is put in::

    raise TooManyRequests(say("Try again in {wait} s.", wait=wait))

and the edge translates: a problem by the request's locale, a mail by its recipient's. Translations
are gettext files, ``locale/<language>.po``, in the platform and in any module; `insula i18n report`
says what is missing in them.
"""

from insula.i18n.catalogues import LANGUAGES, translate
from insula.i18n.texts import Text, say, say_count

__all__ = ["LANGUAGES", "Text", "say", "say_count", "translate"]
