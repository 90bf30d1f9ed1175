"""What the search box answers."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta


class Hit(msgspec.Struct):
    """Something that was found."""

    kind: Annotated[str, Meta(examples=["notes.note"])]
    id: UUID
    title: Annotated[str, Meta(examples=["Roof garden"])]
    url: Annotated[str, Meta(examples=["/api/v1/notes/01890a5d-ac96-774b-bcce-b302099a8057"])]
    """Where it is read."""
    marked_title: Annotated[str, Meta(examples=["Roof <mark>garden</mark>"])]
    """The title as HTML: everything is escaped but the `<mark>` around what matches."""
    snippet: Annotated[str, Meta(examples=["… water the <mark>gardens</mark> &amp; roofs …"])]
    """The piece of the text that matches, as HTML of the same kind."""
    score: float
    """Higher is better; comparable within one answer only."""


class SearchPage(msgspec.Struct):
    """Some of what was found, the best first."""

    items: list[Hit]
    next: str | None
    """The `cursor` of the following page; null on the last one."""
    kinds: Annotated[dict[str, int], Meta(examples=[{"notes.note": 3}])]
    """How much was found of each kind that you may see, whatever `kind` asks for."""
    match: Annotated[str, Meta(examples=["all"])]
    """How it was found: `all` words as typed; `similar`, with typing errors mended, since nothing
    has them all; or `some` of the words, since nothing has them all even so."""
