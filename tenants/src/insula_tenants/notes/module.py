"""Notes: Markdown notes with tags, links between them, history and sharing."""

from insula.module import Module
from insula.search import SearchSource

from insula_tenants.notes import cli, compat, demo, tables
from insula_tenants.notes.events import EVENTS
from insula_tenants.notes.graphql import GRAPH
from insula_tenants.notes.permissions import READ, SCOPES
from insula_tenants.notes.routes import ROUTES
from insula_tenants.notes.sockets import CHANNELS

MODULE = Module(
    name="notes",
    title="Notes",
    summary="Markdown notes with tags, backlinks, task lists, history and sharing by link.",
    package=__package__,
    routes=ROUTES,
    scopes=SCOPES,
    events=EVENTS,
    channels=CHANNELS,
    tables=(tables.Note, tables.NoteLink, tables.NoteRevision, tables.NoteShare, tables.NoteWord),
    graphql=GRAPH,
    search=(
        SearchSource(
            kind="notes.note",
            key=tables.Note.id,
            title=tables.Note.title,
            text=tables.Note.body,
            right=READ,
            url="/api/v1/notes/{id}",
            where=tables.Note.deleted_at.is_(None),
        ),
    ),
    compat=(compat.ROUTER,),
    cli=(cli.import_notes, cli.export_notes),
    demo=demo.fill,
)
