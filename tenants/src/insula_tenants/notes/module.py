"""Notes: Markdown notes with tags, links between them, history and sharing."""

from insula.module import Module
from insula_tenants.notes import routes, tables
from insula_tenants.notes.permissions import SCOPES

MODULE = Module(
    name="notes",
    title="Notes",
    summary="Markdown notes with tags, backlinks, task lists, history and sharing by link.",
    package=__package__,
    routes=routes.ROUTES,
    scopes=SCOPES,
    tables=(tables.Note,),
)
