"""Notes: Markdown notes with tags, links between them, history and sharing."""

from insula.module import Module

from insula_tenants.notes import cli, demo, tables
from insula_tenants.notes.permissions import SCOPES
from insula_tenants.notes.routes import ROUTES

MODULE = Module(
    name="notes",
    title="Notes",
    summary="Markdown notes with tags, backlinks, task lists, history and sharing by link.",
    package=__package__,
    routes=ROUTES,
    scopes=SCOPES,
    tables=(tables.Note, tables.NoteLink, tables.NoteRevision, tables.NoteShare),
    cli=(cli.import_notes, cli.export_notes),
    demo=demo.fill,
)
