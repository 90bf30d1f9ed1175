"""``/api/v1/notes``."""

from insula_tenants.notes.routes import (
    attachments,
    grammar,
    history,
    links,
    notes,
    shares,
    tasks,
    trash,
    vault,
)

ROUTES = (
    *notes.ROUTES,
    *links.ROUTES,
    *tasks.ROUTES,
    *history.ROUTES,
    *trash.ROUTES,
    *shares.ROUTES,
    *vault.ROUTES,
    *attachments.ROUTES,
    *grammar.ROUTES,
)
