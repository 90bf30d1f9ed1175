"""What notes have to do with each other: links and tags."""

from uuid import UUID

from insula.db import Work
from litestar import get

from insula_tenants.notes import queries, service
from insula_tenants.notes.permissions import READ
from insula_tenants.notes.schemas import Backlink, OutgoingLink, TagCount


@get("/{note_id:uuid}/backlinks", right=READ)
async def list_backlinks(note_id: UUID, tx: Work) -> list[Backlink]:
    """Where other notes link to this one, by its title, file name or an alias."""
    return await service.list_links(tx, queries.BACKLINKS, note_id)


@get("/{note_id:uuid}/links", right=READ)
async def list_links(note_id: UUID, tx: Work) -> list[OutgoingLink]:
    """The links in this note, and the note that each leads to, if there is one."""
    return await service.list_links(tx, queries.LINKS, note_id)


@get("/tags", right=READ)
async def list_tags(tx: Work) -> list[TagCount]:
    """Every tag, with the number of notes that carry it; the most used first."""
    return await tx.many(queries.TAGS)


ROUTES = (list_backlinks, list_links, list_tags)
