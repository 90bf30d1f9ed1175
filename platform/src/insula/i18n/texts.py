"""Sentences that know how they came about, so that they can be said in another language."""

from collections.abc import Mapping
from typing import Any


class Text(str):
    """An English sentence, usable as a string; ``template`` and ``values`` are what a translation
    is made from."""

    __slots__ = ("number", "plural", "template", "values")

    template: str
    plural: str
    """The template for other than one; empty where nothing is counted."""
    number: int
    values: Mapping[str, Any]

    def __new__(
        cls, template: str, values: Mapping[str, Any], plural: str = "", number: int = 1
    ) -> "Text":
        chosen = template if number == 1 or not plural else plural
        made = super().__new__(cls, chosen.format(**values) if values else chosen)
        made.template, made.plural, made.number, made.values = template, plural, number, values
        return made


def say(template: str, /, **values: Any) -> Text:
    """A sentence with values in braces. The template is a literal: it is looked up, and collected
    by `insula i18n report`."""
    return Text(template, values)


def say_count(one: str, many: str, /, n: int, **values: Any) -> Text:
    """A sentence about ``n`` things: ``say_count("{n} vote", "{n} votes", n=3)``. Other languages
    have more forms than two; their translations have all of them."""
    return Text(one, {"n": n, **values}, many, n)
