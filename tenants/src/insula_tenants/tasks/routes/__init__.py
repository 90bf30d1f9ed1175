"""``/api/v1/tasks``."""

from insula_tenants.tasks.routes import (
    around,
    bulk,
    comments,
    filters,
    labels,
    links,
    projects,
    reminders,
    tasks,
)

ROUTES = (
    *tasks.ROUTES,
    *around.ROUTES,
    *bulk.ROUTES,
    *projects.ROUTES,
    *reminders.ROUTES,
    *comments.ROUTES,
    *labels.ROUTES,
    *filters.ROUTES,
    *links.ROUTES,
)
