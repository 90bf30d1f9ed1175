"""Translations: gettext's PO files, read once when a process starts."""

import functools
import importlib.util
from collections.abc import Iterator, Mapping
from gettext import c2py
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from insula.i18n.texts import Text

SOURCE = "en"
"""The language that the code speaks."""

LANGUAGES = ("en", "de", "ar")
"""What Insula speaks. Each is complete: a test holds it against everything the code says."""


class Language:
    """One language's translations, of the platform and all modules together."""

    def __init__(self, name: str, catalogues: list[Catalog]) -> None:
        self.name = name
        self._forms: dict[str, tuple[str, ...]] = {}
        for catalogue in catalogues:
            for message in catalogue:
                if message.id and message.string and not message.fuzzy:
                    key = message.id if isinstance(message.id, str) else message.id[0]
                    said = message.string
                    self._forms[key] = (said,) if isinstance(said, str) else tuple(said)
        expression = catalogues[0].plural_expr if catalogues else "(n != 1)"
        self.form_of = c2py(expression)

    def find(self, template: str, count: int = 1) -> str | None:
        """The translation; for a counted one in the form that the number demands."""
        forms = self._forms.get(template)
        if forms is None:
            return None
        return forms[self.form_of(count)] if len(forms) > 1 else forms[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._forms)

    def forms(self, template: str) -> tuple[str, ...]:
        return self._forms[template]


def packages() -> list[Traversable]:
    """The platform and every installed module, found without importing any."""
    found: list[Traversable] = [files("insula")]
    for point in entry_points(group="insula.modules"):
        spec = importlib.util.find_spec(point.module.partition(".")[0])
        if spec is not None:
            found.append(files(point.module.rpartition(".")[0]))
    return found


@functools.cache
def language(name: str) -> Language:
    """The translations into a language; none for the source's own."""
    catalogues = []
    for package in packages():
        file = package / "locale" / f"{name}.po"
        if file.is_file():
            catalogues.append(read_po(BytesIO(file.read_bytes()), locale=name))
    return Language(name, catalogues)


def translate(said: str, locale: str) -> str:
    """What was said, in another language; in English where nobody has translated it.

    A value that is itself a :class:`Text` is translated too.
    """
    template, values, count = said, {}, 1
    if isinstance(said, Text):
        template, count = said.template, said.number
        values = {name: _value(value, locale) for name, value in said.values.items()}
    found = language(locale).find(template, count) if locale != SOURCE else None
    if found is None:
        if not isinstance(said, Text):
            return said
        found = template if count == 1 or not said.plural else said.plural
    return _fill(found, values)


def _value(value: Any, locale: str) -> Any:
    return translate(value, locale) if isinstance(value, Text) else value


def _fill(template: str, values: Mapping[str, Any]) -> str:
    return template.format(**values) if values else template


def is_right_to_left(locale: str) -> bool:
    """For ``dir=`` in HTML."""
    return str(Locale.parse(locale).text_direction) == "rtl"
