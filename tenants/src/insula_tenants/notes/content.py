"""What is computed when a note is written: everything but what its writer typed."""

from collections.abc import Sequence
from typing import Any

import msgspec
from insula.markdown.front_matter import read_properties
from insula.markdown.tags import clean_tag, distinct

from insula_tenants.notes.front_matter_edit import with_tags
from insula_tenants.notes.links import Link, link_key, note_keys
from insula_tenants.notes.markdown import read_markdown
from insula_tenants.notes.titles import clean_title, title_of
from insula_tenants.notes.vault import VaultNote


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a note that follow from its text, and its links."""

    title: str
    body: str
    front_matter: str
    heading: str
    html: str
    tags: tuple[str, ...]
    keys: tuple[str, ...]
    links: tuple[Link, ...]

    def columns(self) -> dict[str, Any]:
        """For the statements that write a note."""
        columns = {name: getattr(self, name) for name in self.__struct_fields__ if name != "links"}
        return columns | {"tags": list(self.tags), "keys": list(self.keys)}

    def link_rows(self, note_id: Any, path: str | None) -> list[dict[str, Any]]:
        """One row for each link that leads to a note."""
        return [
            {
                "note_id": note_id,
                "number": number,
                "key": key,
                "kind": link.kind,
                "target": link.target,
                "heading": link.heading,
                "text": link.text,
                "line": link.line,
            }
            for number, link in enumerate(self.links)
            if (key := link_key(link, path))
        ]


def compose(
    *,
    body: str,
    front_matter: str = "",
    title: str | None = None,
    tags: Sequence[str] | None = None,
    path: str | None = None,
) -> Content:
    """The content of a note that somebody wrote through the API.

    ``tags`` replaces the tags of the front matter; those in the text stay as long as they stand
    there. Without a ``title`` the text says it.
    """
    if tags is not None:
        front_matter = _with_tags(front_matter, tags)
    document, properties = read_markdown(body), read_properties(front_matter)
    outline = document.outline
    named = clean_title(title) if title else ""
    title = named or title_of(properties, outline.heading, path)
    return Content(
        title=title,
        body=body,
        front_matter=front_matter,
        heading=outline.heading,
        html=document.html,
        tags=distinct((*properties.tags, *outline.tags)),
        keys=note_keys(path, title, properties.aliases),
        links=outline.links,
    )


def _with_tags(front_matter: str, tags: Sequence[str]) -> str:
    wanted = distinct(cleaned for tag in tags if (cleaned := clean_tag(tag)))
    if wanted == read_properties(front_matter).tags:
        return front_matter
    return with_tags(front_matter, wanted)


def of_file(note: VaultNote) -> Content:
    """The content of a file of a vault, which has been read already."""
    return Content(
        title=note.title,
        body=note.body,
        front_matter=note.front_matter,
        heading=note.heading,
        html=note.html,
        tags=note.tags,
        keys=note_keys(note.path, note.title, note.aliases),
        links=note.links,
    )
